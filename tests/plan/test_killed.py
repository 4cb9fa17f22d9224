"""Killed with SIGKILL before any of its writes: an undo, or the same plan again, ends in a clean state."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from tests.forks import Forks, forks

from pfdoctor.apply.undo import undo

CHANGES = {
    "deploy/deployment.yml": ["request_timeout_ms: 90000, ", ""],
    "flow/flow.dag.yaml": ["is_chat_history: true, default: []}", "is_chat_history: true}"],
}
RULES = ("request-timeout-default", "chat-history-required")

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def process() -> Iterator[Forks]:
    with forks() as made:
        yield made


@pytest.fixture
def planned(repository: Any, process: Forks) -> Any:
    """A repository with a saved plan beside it, both named as a person in that folder would."""
    repository.write(CHANGES)
    rules = [word for rule in RULES for word in ("--rule", rule)]
    done = process.run(repository.root.parent, "plan", "work", *rules, "-o", "plan.json", "--no-what-if")
    assert done.code == 0, done.err
    return repository


def test_killed_anywhere(planned: Any, process: Forks) -> None:
    where, untouched = planned.root.parent, planned.bytes()
    whole = process.run(where, "apply", "plan.json")
    assert whole.code == 0, whole.err
    applied = planned.bytes()
    assert applied != untouched
    assert process.run(where, "undo", "plan.json.journal").code == 0
    assert planned.bytes() == untouched
    assert len(whole.calls) > 15
    # the calls of the run that nobody disturbed, each of them; a flush is also lost half way
    for last, half in product(range(1, len(whole.calls) + 1), (False, True)):
        if half and whole.calls[last - 1] != "fsync":
            continue
        planned.journal.unlink(missing_ok=True)
        assert process.run(where, "apply", "plan.json", last=last, half=half).code == -9
        if (last + half) % 2:
            # what was half done is finished, what was done is not done twice
            ended = process.run(where, "apply", "plan.json")
            assert (ended.code, planned.bytes() == applied) == (0, True), (last, ended.err)
        assert not planned.journal.exists() or not undo(planned.journal).left
        assert planned.bytes() == untouched, (last, half)
        assert not planned.journal.with_name("plan.json.journal.undo").exists(), last


def test_an_undo_that_was_killed_is_undone(planned: Any, process: Forks) -> None:
    where, untouched, plan = planned.root.parent, planned.bytes(), planned.plan(*RULES)
    assert not planned.apply(plan).failure
    for last in range(1, 30):
        if process.run(where, "undo", "plan.json.journal", last=last).code != -9:
            break
        assert not undo(planned.journal).left
        assert planned.bytes() == untouched, last
        assert not planned.apply(plan).failure, last
    else:
        raise AssertionError("the undo never ended")
    assert planned.bytes() == untouched
