"""Predictions: of a run's own parts, and of new images."""
