"""`python -m hounsfield`, the same as the command `hounsfield`."""

from __future__ import annotations

import sys

from hounsfield.cli import main

sys.exit(main())
