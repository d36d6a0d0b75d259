"""Processes that a test starts find the modules of ``tests/support``, too."""

import os

from places import ROOT

_SUPPORT = str(ROOT / "tests/support")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_SUPPORT, os.environ.get("PYTHONPATH")]))
