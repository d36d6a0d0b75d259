"""Folders that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
SHARED = ROOT.parent / "shared"
"""Reference data beside the checkout, which a user may not have."""
