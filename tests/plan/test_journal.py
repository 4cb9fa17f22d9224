"""Journals that are not as `undo` and `apply` would have them: each is said, and none ends in a traceback."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.apply.journal import JournalError
from pfdoctor.cli.main import main

pytestmark = pytest.mark.once

FAULTY = {"deploy/deployment.yml": ["request_timeout_ms: 90000, ", ""], "flow/requirements.txt": "promptflow==1.17.2\n"}
YES = ("--yes", "--fix-level", "review")


@pytest.fixture
def applied(repository: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A repository with a plan that was applied beside it."""
    repository.write(FAULTY)
    repository.untouched = repository.bytes()
    monkeypatch.chdir(repository.root.parent)
    assert main(["plan", "work", "--rule", "request-timeout-default", "-o", "plan.json"]) == 0
    assert main(["apply", "plan.json"]) == 0
    return repository


@pytest.fixture
def undo(capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    def run(journal: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["undo", journal])
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert "internal error" not in said
        return code, said

    return run


def test_of_another_version(applied: Any, undo: Callable[[str], tuple[int, str]]) -> None:
    text = applied.journal.read_text().replace("pfdoctor/journal/v1", "pfdoctor/journal/v2")
    applied.journal.write_text(text.replace('"version": "', '"version": "9.'))
    code, said = undo("plan.json.journal")
    assert code == 7
    assert "was written by pfdoctor 9." in said
    assert "use the one that wrote it" in said
    assert main(["apply", "plan.json", "--journal", "plan.json.journal"]) == 7


def test_of_another_machine(applied: Any, undo: Callable[[str], tuple[int, str]]) -> None:
    first, *rest = applied.journal.read_text().splitlines(keepends=True)
    applied.journal.write_text(json.dumps({**json.loads(first), "machine": "build-7"}) + "\n" + "".join(rest))
    Path("other").mkdir()
    for file in ("plan.json.journal", "plan.json.journal.undo"):
        shutil.copy(file, "other")
    code, said = undo("other/plan.json.journal")
    assert code == 7
    assert "which is not here (it was written on build-7): undo it where the plan was applied" in said


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_with_a_torn_last_line(applied: Any, undo: Callable[[str], tuple[int, str]], cut: int) -> None:
    whole = applied.journal.read_bytes()
    applied.journal.write_bytes(whole[: len(whole) - cut])
    assert undo("plan.json.journal")[0] == 0
    assert applied.bytes() == applied.untouched


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b"{\n", b'{"event": "done", "step": 77}\n', b'{"event": "begin"}\n'])
def test_that_is_damaged(applied: Any, undo: Callable[[str], tuple[int, str]], damage: bytes) -> None:
    lines = applied.journal.read_bytes().splitlines(keepends=True)
    applied.journal.write_bytes(lines[0] + damage + b"".join(lines[1:]))
    assert undo("plan.json.journal")[0] == 7


def test_that_is_no_file(applied: Any, undo: Callable[[str], tuple[int, str]]) -> None:
    code, said = undo("work")
    assert (code, "cannot read work" in said) == (7, True)
    assert undo("nowhere.journal")[0] == 7
    assert applied.journal.exists()


def test_a_second_plan_of_the_same_name_does_not_forget_the_first(
    applied: Any, undo: Callable[[str], tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Both plans have a step 1: were they in one journal, the first could not be taken back any more."""
    assert main(["plan", "work", "--rule", "promptflow-pinned-on-runtime-image", "-o", "plan.json"]) == 0
    capsys.readouterr()
    assert main(["apply", "plan.json", *YES, "--journal", "plan.json.journal"]) == 7
    assert "has steps of another plan; nothing was changed" in capsys.readouterr().err
    assert main(["apply", "plan.json", *YES]) == 0
    assert "pfdoctor undo plan.json.2.journal" in capsys.readouterr().err
    assert main(["apply", "plan.json", *YES]) == 0
    assert undo("plan.json.2.journal")[0] == 0
    assert undo("plan.json.journal")[0] == 0
    assert applied.bytes() == applied.untouched
    # what is undone holds nobody up
    assert main(["apply", "plan.json", *YES]) == 0
    assert not Path("plan.json.2.journal.undo").exists()
    assert undo("plan.json.journal")[0] == 0
    assert applied.bytes() == applied.untouched


def test_a_disk_that_is_full_at_any_flush(
    repository: Any, monkeypatch: pytest.MonkeyPatch, undo: Callable[[str], tuple[int, str]]
) -> None:
    untouched = repository.write(FAULTY).bytes()
    monkeypatch.chdir(repository.root.parent)
    plan = repository.plan("request-timeout-default", "promptflow-pinned-on-runtime-image")
    real, calls, full = os.fsync, [0], [0]

    def flush(descriptor: int) -> None:
        calls[0] += stat.S_ISREG(os.fstat(descriptor).st_mode)
        if full[0] and calls[0] >= full[0] and stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    assert repository.apply(plan).failure is None
    healed, number = repository.bytes(), calls[0]
    assert number > 8
    assert undo("plan.json.journal")[0] == 0
    for last in range(1, number + 1):
        repository.journal.unlink(missing_ok=True)
        calls[0], full[0] = 0, last
        try:
            said = str(repository.apply(plan).failure)
        except JournalError as error:
            said = str(error)
        full[0] = 0
        assert "No space left on device" in said, last
        assert repository.apply(plan).failure is None, last
        assert repository.bytes() == healed, last
        assert undo("plan.json.journal")[0] == 0
        assert repository.bytes() == untouched, last
