"""What every test starts from: an environment that says nothing, and property tests that repeat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Read before the environment is emptied; tests/run.py sets it.
_PROMPTFLOW_PYTHON = os.environ.get("PFDOCTOR_PROMPTFLOW_PYTHON")

# Variables that change what pfdoctor or the libraries below it do; the machine's own must not decide a test.
_SPOKEN_FOR = ("AZURE_", "CLICOLOR", "GITHUB_", "PFDOCTOR_", "SYSTEM_", "XDG_")
_SPOKEN_FOR_EXACTLY = ("CI", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "SOURCE_DATE_EPOCH", "TF_BUILD")

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
# The same examples in every run and on every interpreter: a red run is red again.
hypothesis.settings.register_profile("ci", parent=hypothesis.settings.get_profile("default"), derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


@pytest.fixture(autouse=True, scope="session")
def quiet_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No variable of the machine reaches a test; 80 columns, no colour, and a home that is empty."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_SPOKEN_FOR) or name in _SPOKEN_FOR_EXACTLY:
                patch.delenv(name)
        home = str(tmp_path_factory.mktemp("home"))
        for name, value in {"HOME": home, "USERPROFILE": home, "TERM": "dumb", "COLUMNS": "80"}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def promptflow_python() -> str:
    """An interpreter that has promptflow, for tests that run the real thing as a program."""
    if not _PROMPTFLOW_PYTHON:
        pytest.skip("PFDOCTOR_PROMPTFLOW_PYTHON names no interpreter with promptflow; tests/run.py makes one")
    return _PROMPTFLOW_PYTHON


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout, for tests about the project itself: its rules, docs and examples."""
    return ROOT
