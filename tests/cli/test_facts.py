"""`pfdoctor facts` and `check --facts`: the snapshot gives the report that the folder gave, and nothing breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize("flags", [(), ("--format", "json"), ("-v",)])
def test_a_replay_prints_the_same_report(folder: Any, run: Run, tmp_path: Path, flags: tuple[str, ...]) -> None:
    problems = [{"path": "x", "problem": "unreadable", "detail": "Permission denied"}]
    folder.holds(*folder.found.cases, problems=problems)
    snapshot = tmp_path / "facts.json"
    saved = run("facts", ".", "-o", snapshot)
    assert (saved.code, saved.out) == (0, "")
    assert saved.err == "pfdoctor: x: Permission denied\n"
    original = run("check", ".", *flags)
    folder.error = AssertionError("a replay reads no folder")
    assert run("check", "--facts", snapshot, *flags) == original


def test_a_snapshot_goes_to_stdout(folder: Any, run: Run, make_case: Any) -> None:
    folder.holds(make_case("a", {"flow": {"kind": "prompty"}}))
    document = json.loads(run("facts").out)
    assert document["schema"] == "pfdoctor/snapshot/v1"
    assert [one["case"]["name"] for one in document["cases"]] == ["a"]
    assert len(document["notices"]) == 1
    assert folder.asked == ["."]


def test_nothing_to_save(folder: Any, run: Run) -> None:
    folder.holds(problems=[{"path": "x", "problem": "missing", "detail": "no such file or folder"}])
    assert run("facts", "x").code == 5


CASE = {"case": {"name": "n", "kind": "flow"}, "declared": {}, "origins": {}, "excerpts": {}}


CHANGES: list[dict[str, Any]] = [
    {"cases": None},
    {"cases": [3]},
    {"problems": [{"path": 3}]},
    {"cases": [{}]},
    {"cases": [{**CASE, "case": {"name": None}}]},
    {"cases": [{**CASE, "declared": []}]},
    {"cases": [{**CASE, "origins": []}]},
    {"cases": [{**CASE, "origins": {"declared": {"flow": ["f", 0]}}}]},
    {"cases": [{**CASE, "origins": {"declared": {"flow": [3]}}}]},
    {"cases": [{**CASE, "excerpts": {"f": {"1": 2}}}]},
    {"cases": [{**CASE, "joins": [1]}]},
    {"cases": [{**CASE, "logs": [{}]}]},
]
NO_SNAPSHOTS = ["", "[", "[]", "null", "{}", '{"schema": "pfdoctor/report/v1"}', "[" * 100_000, "\x00"]


@pytest.mark.parametrize(
    "text",
    [
        *NO_SNAPSHOTS,
        *(json.dumps({"schema": "pfdoctor/snapshot/v1", "cases": [], "problems": [], **change}) for change in CHANGES),
    ],
)
def test_what_is_no_snapshot_is_a_usage_error(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "facts.json"
    path.write_text(text, "utf-8")
    ended = run("check", "--facts", path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("pfdoctor: error: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "declared", [{}, {"deployment": None}, {"deployment": 3}, {"deployment": {"instance_count": []}}]
)
def test_facts_may_be_anything(run: Run, tmp_path: Path, declared: dict[str, Any]) -> None:
    path = tmp_path / "facts.json"
    document = {"schema": "pfdoctor/snapshot/v1", "cases": [{**CASE, "declared": declared}], "problems": []}
    path.write_text(json.dumps(document), "utf-8")
    assert run("check", "--facts", path).code == 0
