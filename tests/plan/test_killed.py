"""Killed with SIGKILL before any of its writes: an undo, or the same plan again, ends in a clean state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.apply.undo import undo

CHANGES = {
    "deploy/deployment.yml": ["request_timeout_ms: 90000, ", ""],
    "flow/flow.dag.yaml": ["is_chat_history: true, default: []}", "is_chat_history: true}"],
}
RULES = ("request-timeout-default", "chat-history-required")

pytestmark = pytest.mark.once

# Dies at the n-th call of what reaches the disk: before a flush, before a file takes the place of another, and (with
# a part of the bytes written) inside a write.
SCRIPT = """
import os, pathlib, signal, stat, sys
from pfdoctor.cli.main import main

calls, last, half = [0], int(sys.argv[1]), sys.argv[2] == "half"

def halve(descriptor):
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        # of what was not flushed yet, the end is lost
        os.truncate(descriptor, max(os.fstat(descriptor).st_size - 20, 0))

def counted(name, real):
    def call(*arguments, **more):
        calls[0] += 1
        if calls[0] == last:
            if half and name == "fsync":
                halve(arguments[0])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **more)
    return call

os.fsync = counted("fsync", os.fsync)
pathlib.Path.replace = counted("replace", pathlib.Path.replace)
code = main(sys.argv[3:])
print(calls[0])
sys.exit(code)
"""


def run(where: Path, last: int, *arguments: str, half: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(last), "half" if half else "whole", *arguments]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def planned(repository: Any) -> Any:
    """A repository with a saved plan beside it, both named as a person in that folder would."""
    repository.write(CHANGES)
    rules = [word for rule in RULES for word in ("--rule", rule)]
    done = run(repository.root.parent, 0, "plan", "work", *rules, "-o", "plan.json", "--no-what-if")
    assert done.returncode == 0, done.stderr
    return repository


def test_killed_anywhere(planned: Any) -> None:
    where, untouched = planned.root.parent, planned.bytes()
    whole = run(where, 0, "apply", "plan.json")
    assert whole.returncode == 0, whole.stderr
    applied = planned.bytes()
    assert applied != untouched
    assert run(where, 0, "undo", "plan.json.journal").returncode == 0
    assert planned.bytes() == untouched
    calls = int(whole.stdout.split()[-1])
    assert calls > 10
    for last in range(1, calls + 1):
        planned.journal.unlink(missing_ok=True)
        assert run(where, last, "apply", "plan.json", half=last % 2 == 0).returncode == -9
        if last % 4 < 2:
            # again: what was half done is finished, what was done is not done twice
            again = run(where, 0, "apply", "plan.json")
            assert (again.returncode, planned.bytes() == applied) == (0, True), (last, again.stderr)
            assert not undo(planned.journal).left
        else:
            assert not undo(planned.journal).left
        assert planned.bytes() == untouched, last
        assert not planned.journal.with_name("plan.json.journal.undo").exists(), last


def test_an_undo_that_was_killed_is_undone(planned: Any) -> None:
    where, untouched, plan = planned.root.parent, planned.bytes(), planned.plan(*RULES)
    assert not planned.apply(plan).failure
    for last in range(1, 30):
        if run(where, last, "undo", "plan.json.journal").returncode != -9:
            break
        assert not undo(planned.journal).left
        assert planned.bytes() == untouched, last
        assert not planned.apply(plan).failure, last
    else:
        raise AssertionError("the undo never ended")
    assert planned.bytes() == untouched
