"""Tests draw the same examples in every run, and processes that a test starts find the modules of ``tests/support``, too."""

import os

from hypothesis import settings
from places import ROOT

# A test draws the same examples in every run, so that unchanged code passes or fails in every run.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

_SUPPORT = str(ROOT / "tests/support")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_SUPPORT, os.environ.get("PYTHONPATH")]))
