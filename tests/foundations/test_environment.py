"""An environment that cannot run the workflow is named before any job starts."""

import sys

import numpy as np
import pytest
from places import ROOT

from cortexscale.environment import require_environment
from cortexscale.errors import InputError


@pytest.fixture
def project(tmp_path):
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\ndependencies = ["numpy>=99", "PyYAML", "no-such-library>=1"]\n', encoding="utf-8")
    return file


def test_this_environment_is_complete():
    require_environment(ROOT / "pyproject.toml")


def test_missing_and_old_libraries_are_listed_together(project):
    with pytest.raises(InputError) as error:
        require_environment(project)
    assert error.value.found == f"{sys.executable} has numpy {np.__version__} and not >=99, no no-such-library"
    assert f"source {project.parent}/.venv/bin/activate" in error.value.remedy


def test_jobs_with_environments_of_their_own_need_only_what_plans(project):
    require_environment(project, only={"PyYAML"})


@pytest.mark.parametrize("release", [(3, 10, 14), (3, 14, 0)])
def test_another_python_is_named(project, monkeypatch, release):
    monkeypatch.setattr(sys, "version_info", release)
    with pytest.raises(InputError, match=r"expected: Python 3\.11 to 3\.13"):
        require_environment(project)
