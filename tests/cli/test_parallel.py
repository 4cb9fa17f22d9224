"""Many cases on all cores: the same results, in the same order, as one after another."""

from __future__ import annotations

from pathlib import Path

import pytest

from pfdoctor.cli import parallel
from pfdoctor.cli.run import Fault
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


@pytest.mark.parametrize("cores", [1, 2])
def test_a_bug_in_one_case_costs_only_that_case(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cores: int
) -> None:
    monkeypatch.setattr(parallel, "_cores", lambda: cores)
    scans, _ = scan([repository])

    def fail(facts: Facts) -> str:
        if name_of(facts) == "flow07":
            raise ValueError("secret")
        return name_of(facts)

    found = list(parallel.examine(scans, fail))
    assert found[7] == Fault("flow07", "ValueError")
    assert len(found) == 61
    said = capfd.readouterr().err
    assert "flow07: internal error (ValueError)" in said
    assert "secret" not in said
