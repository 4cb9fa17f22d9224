"""Many cases on all cores: the same results, in the same order, as one after another."""

from __future__ import annotations

from pathlib import Path

import pytest

from pfdoctor.cli import parallel
from pfdoctor.collect.folder import scan
from pfdoctor.core.facts import Facts

FLOW = "inputs: {}\noutputs: {}\nnodes: []\n"


def name_of(facts: Facts) -> str:
    return str(facts.case["name"])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    for number in range(60):
        folder = tmp_path / f"flow{number:02}"
        folder.mkdir()
        (folder / "flow.dag.yaml").write_text(FLOW)
    (tmp_path / "environment.yaml").write_text("name: [\n$schema: azuremlschemas\n")
    return tmp_path


def test_the_order_is_that_of_the_plans(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    scans, _ = scan([repository])
    found = list(parallel.examine(scans, name_of))
    assert found == [f"flow{number:02}" for number in range(60)] + ["environment.yaml"]
    monkeypatch.setattr(parallel, "_cores", lambda: 1)
    assert list(parallel.examine(scans, name_of)) == found


def test_a_fault_in_a_worker_is_raised_here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    scans, _ = scan([repository])

    def fail(facts: Facts) -> str:
        raise ValueError(name_of(facts))

    with pytest.raises(ValueError, match="flow00"):
        list(parallel.examine(scans, fail))
