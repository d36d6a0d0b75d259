"""Folders that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
COMPLETE = ROOT / "config/complete.yaml"
"""The config of the study with all stages and datasets."""
COMPLETE_RESULTS = ROOT / "results_complete"
"""Its results, which `make complete` makes."""
SHARED = ROOT.parent / "shared"
"""Reference data beside the checkout, which a user may not have."""
