"""Applying and undoing: what is refused before anything changes, what survives a write, what a failure leaves."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.apply import files
from pfdoctor.apply.journal import Journal, JournalError, read
from pfdoctor.core.model import Level
from pfdoctor.core.plan import StaleError
from pfdoctor.core.plan.step import Fix, MovedFile, NewFile, Plan, SetValue, Step, touched
from pfdoctor.edit.sources import FileSources

DEPLOYMENT = "deploy/deployment.yml"
FAULTY = {
    DEPLOYMENT: ["request_timeout_ms: 90000, ", ""],
    "flow/flow.dag.yaml": [
        "  chat_history: {type: list, is_chat_history: true, default: []}",
        "  chat_history: {type: list, is_chat_history: true}",
    ],
    "flow/requirements.txt": "promptflow==1.17.2\n",
}
FIXED = ("request-timeout-default", "chat-history-required", "promptflow-pinned-on-runtime-image")


@pytest.fixture
def faulty(repository: Any) -> Any:
    return repository.write(FAULTY)


def test_several_fixes_are_one_plan(faulty: Any) -> None:
    untouched = faulty.bytes()
    plan = faulty.plan(*FIXED)
    assert {fix.rule for fix in plan.fixes} == set(FIXED)
    # what is safe comes first, so that it can be applied without the rest
    levels = [step.level.rank for step in plan.steps]
    assert levels == sorted(levels)
    applied = faulty.apply(plan)
    assert [fix.rule for fix in applied.fixed] == [fix.rule for fix in plan.fixes]
    assert not faulty.plan(*FIXED).steps
    assert faulty.undo().steps == tuple(range(len(plan.steps), 0, -1))
    assert faulty.bytes() == untouched


def test_only_what_was_agreed_to(faulty: Any) -> None:
    plan = faulty.plan(*FIXED)
    safe = plan.only({step.id for step in plan.steps if step.level is Level.SAFE})
    assert {fix.rule for fix in faulty.apply(safe).fixed} == {"request-timeout-default", "chat-history-required"}
    # the rest can follow, from the plan that was made before
    assert {fix.rule for fix in faulty.apply(plan).fixed} == {"promptflow-pinned-on-runtime-image"}


def test_the_same_facts_give_the_same_plan(faulty: Any) -> None:
    assert faulty.plan() == faulty.plan()


def test_a_step_is_undone_alone(faulty: Any) -> None:
    plan = faulty.plan(*FIXED)
    faulty.apply(plan)
    requirements = next(step.id for step in plan.steps if step.edit.file == "flow/requirements.txt")
    assert faulty.undo(requirements).steps == (requirements,)
    assert (faulty.root / "flow/requirements.txt").read_text() == "promptflow==1.17.2\n"
    assert len(faulty.undo().steps) == len(plan.steps) - 1


def test_what_somebody_changed_since_is_left(faulty: Any) -> None:
    faulty.apply(faulty.plan(*FIXED))
    path = faulty.root / "flow/requirements.txt"
    path.write_text("promptflow\nmine\n")
    undone = faulty.undo()
    assert len(undone.left) == 1
    assert "requirements.txt was changed since" in undone.left[0][1]
    assert path.read_text() == "promptflow\nmine\n"


# --------------------------------------------------------------------------------------------------- refused at once


def test_a_changed_file_is_refused_before_anything_else_ran(faulty: Any) -> None:
    plan = faulty.plan(*FIXED)
    (faulty.root / "flow/requirements.txt").write_text("promptflow==1.17.1\n")
    untouched = faulty.bytes()
    with pytest.raises(StaleError, match=r"requirements\.txt was changed since the plan was made"):
        faulty.apply(plan)
    assert faulty.bytes() == untouched
    assert not faulty.journal.exists()


def test_a_missing_file_is_refused(faulty: Any) -> None:
    plan = faulty.plan(*FIXED)
    (faulty.root / "flow/requirements.txt").unlink()
    with pytest.raises(StaleError, match="is not there"):
        faulty.apply(plan)


@pytest.mark.parametrize("target", ["flow/requirements.txt", "flow"])
def test_what_is_read_only_is_refused_before_anything_else_ran(faulty: Any, target: str) -> None:
    plan = faulty.plan(*FIXED)
    path = faulty.root / target
    untouched = faulty.bytes()
    path.chmod(0o555 if path.is_dir() else 0o444)
    with pytest.raises(StaleError, match="read-only"):
        faulty.apply(plan)
    path.chmod(0o755 if path.is_dir() else 0o644)
    assert faulty.bytes() == untouched


def test_a_hard_link_is_refused(faulty: Any) -> None:
    plan = faulty.plan(*FIXED)
    os.link(faulty.root / "flow/requirements.txt", faulty.root / "other.txt")
    with pytest.raises(StaleError, match="2 hard links"):
        faulty.apply(plan)


def test_a_path_out_of_the_folder_is_refused(faulty: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yml"
    outside.write_text("a: 1\n")
    for name in ("../../outside.yml", str(outside), "link.yml"):
        (faulty.root / "link.yml").unlink(missing_ok=True)
        (faulty.root / "link.yml").symlink_to(outside)
        with pytest.raises(StaleError, match="outside"):
            faulty.apply(forged(SetValue(name, ("a",), 2)))
    assert outside.read_text() == "a: 1\n"


def forged(*edits: Any, root: Path | None = None) -> Plan:
    """A plan that nobody made from facts; with a root it expects the files as they are there."""
    digest = FileSources(root).digest if root is not None else lambda _: None
    steps = tuple(
        Step(number, edit, Level.SAFE, "", "", "", "", {file: digest(file) for file in touched(edit)})
        for number, edit in enumerate(edits, start=1)
    )
    fix = Fix("no-such-rule", "case", "subject", "0", "message", "title", Level.SAFE, tuple(one.id for one in steps))
    return Plan((), (fix,), steps, (), None)


# ------------------------------------------------------------------------------------------------------- what survives


def test_a_symbolic_link_is_followed_and_stays(faulty: Any) -> None:
    path = faulty.root / "flow/requirements.txt"
    real = faulty.root / "shared" / "base.txt"
    real.parent.mkdir()
    path.rename(real)
    path.symlink_to("../shared/base.txt")
    faulty.apply(faulty.plan("promptflow-pinned-on-runtime-image"))
    assert path.is_symlink()
    assert real.read_text() == "promptflow\n"
    faulty.undo()
    assert path.is_symlink()
    assert real.read_text() == "promptflow==1.17.2\n"


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o664])
def test_the_mode_stays(faulty: Any, mode: int) -> None:
    path = faulty.root / "flow/requirements.txt"
    path.chmod(mode)
    faulty.apply(faulty.plan("promptflow-pinned-on-runtime-image"))
    assert stat.S_IMODE(path.stat().st_mode) == mode
    faulty.undo()
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_nothing_is_left_beside_the_files(faulty: Any) -> None:
    names = set(faulty.bytes())
    faulty.apply(faulty.plan(*FIXED))
    assert set(faulty.bytes()) == names


def test_files_are_created_and_moved_and_come_back(repository: Any) -> None:
    repository.write({})
    untouched = repository.bytes()
    edits = NewFile("flow/new/.amlignore", ".env\n"), MovedFile("flow/ask.py", "flow/tools/ask.py")
    plan = forged(*edits, root=repository.root)
    applied = repository.apply(plan)
    # moving the file breaks the flow, so the fix is taken back
    assert applied.failure is not None
    assert "node-source-file-missing" in applied.failure
    assert applied.undone == (2, 1)
    assert repository.bytes() == untouched
    assert not (repository.root / "flow/new").exists()
    assert not (repository.root / "flow/tools").exists()


# ---------------------------------------------------------------------------------------------------- what goes wrong


def test_a_fix_that_breaks_something_is_taken_back(repository: Any) -> None:
    repository.write({})
    untouched = repository.bytes()
    edit = SetValue("flow/flow.dag.yaml", ("outputs", "answer", "reference"), "${nowhere.output}")
    plan = forged(edit, root=repository.root)
    applied = repository.apply(plan)
    assert applied.failure is not None
    assert "made output-reference-missing true" in applied.failure
    assert applied.undone == (1,)
    assert repository.bytes() == untouched


def test_a_fix_that_does_not_mend_is_taken_back(faulty: Any) -> None:
    plan = faulty.plan("request-timeout-default")
    weak = plan.steps[0]._replace(edit=plan.steps[0].edit._replace(value=5000))
    untouched = faulty.bytes()
    applied = faulty.apply(plan._replace(steps=(weak,)))
    assert applied.failure is not None
    assert "request-timeout-default still fires" in applied.failure
    assert faulty.bytes() == untouched


def test_a_full_disk_is_no_half_written_file(faulty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = faulty.plan(*FIXED)
    untouched = faulty.bytes()
    real = files.replace
    calls: list[Path] = []

    def full(path: Path, data: bytes, mode: int | None) -> None:
        calls.append(path)
        if len(calls) == len(plan.steps):
            raise OSError(28, "No space left on device")
        real(path, data, mode)

    monkeypatch.setattr(files, "replace", full)
    applied = faulty.apply(plan)
    assert applied.failure is not None
    assert "No space left on device" in applied.failure
    assert len(applied.fixed) == len(plan.fixes) - 1
    monkeypatch.setattr(files, "replace", real)
    assert not faulty.undo().left
    assert faulty.bytes() == untouched


# --------------------------------------------------------------------------------------------------------- the journal


def test_the_journal_holds_hashes_and_the_bytes_are_private(faulty: Any) -> None:
    faulty.apply(faulty.plan(*FIXED))
    text = faulty.journal.read_text()
    assert "request_timeout" not in text
    assert [json.loads(line)["event"] for line in text.splitlines()][:3] == ["open", "begin", "done"]
    kept = faulty.journal.with_name(faulty.journal.name + ".undo")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(faulty.journal.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["{}", "{}\n", "no json\n{}\n", '{"schema": "pfdoctor/journal/v1", "event": "open"}\n']
)
def test_what_is_no_journal_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "j"
    path.write_text(text)
    with pytest.raises(JournalError):
        read(path)
    with pytest.raises(JournalError):
        read(tmp_path / "none")


def test_a_journal_is_written_by_one_at_a_time(faulty: Any) -> None:
    plan = faulty.plan(*FIXED)
    with Journal(faulty.journal, faulty.root).opened(), pytest.raises(JournalError, match="another pfdoctor"):
        faulty.apply(plan)
