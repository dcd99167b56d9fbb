"""MR: bias fields, motion and ghosting, noise, quality, skull stripping."""
