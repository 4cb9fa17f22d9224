"""Every remedy with actions, on real files: planned, applied, verified and undone, byte for byte.

The faults are those of tests/fixtures/remedies.yaml and of the field classes. This is also where the fifth law is held:
what the forecast is definite about is what is found afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from pfdoctor import catalog

pytestmark = pytest.mark.once

FAULTS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "fixtures" / "remedies.yaml").read_text(encoding="utf-8")
)
ALL = catalog.load().rules
# remedies that change Azure, whatever they were found in: not for files
LIVE = {"assign_role", "route_traffic", "register_provider", "sync_keys"}


def is_for_files(action: dict[str, Any]) -> bool:
    fact = next(iter(action.values())).get("fact", "")
    return not (set(action) & LIVE) and not fact.startswith("live.")


PLANNED = {
    name: rule
    for name, rule in ALL.items()
    if rule.views != ("live",)
    and any(all(map(is_for_files, spec.raw_actions)) for spec in rule.wording.remedies if spec.raw_actions)
}


def plain(text: str) -> str:
    return text


def windows(text: str) -> str:
    """With a byte order mark and the line ends of Windows, and none at the end."""
    return "\ufeff" + text.rstrip("\n").replace("\n", "\r\n")


def check(repository: Any, rule: str) -> None:
    untouched = repository.bytes()
    plan = repository.plan(rule)
    assert plan.fixes, [one.reason for one in plan.not_planned] or f"{rule} does not fire"
    applied = repository.apply(plan)
    assert applied.failure is None
    assert len(applied.fixed) == len(plan.fixes)
    after = repository.observe().proven
    assert rule not in {one.rule for one in after.values()}
    forecast = plan.forecast
    assert {one.fingerprint for one in forecast.solved}.isdisjoint(after)
    assert {one.fingerprint for one in forecast.remaining} <= set(after)
    assert not forecast.introduced
    foreseen = {one.fingerprint for one in (*forecast.remaining, *forecast.undecided, *forecast.revealed)}
    assert {one.rule for key, one in after.items() if key not in foreseen} == set()
    changed = repository.bytes()
    # fix(fix(x)) = fix(x): neither the same plan again nor a new one finds anything to do
    assert not repository.apply(plan).fixed
    assert not repository.plan(rule).steps
    assert repository.bytes() == changed
    assert not repository.undo().left
    assert repository.bytes() == untouched
    assert not repository.journal.with_name("plan.json.journal.undo").exists()


@pytest.mark.parametrize("dress", [plain, windows])
@pytest.mark.parametrize("fault", FAULTS, ids=[one["rule"] for one in FAULTS])
def test_a_remedy_mends_what_it_says(repository: Any, fault: dict[str, Any], dress: Callable[[str], str]) -> None:
    repository.write(fault["change"], dress)
    check(repository, fault["rule"])


def test_every_remedy_with_actions_is_tried(field: Any) -> None:
    """A rule's author has to add a fault here: what nobody applied is not proven to be applicable."""
    tried = {one["rule"] for one in FAULTS} | {one.rule for one in field.DEFECTS}
    assert set(PLANNED) - tried == set()


def test_field_classes_are_mended(field: Any, new_repository: Callable[[], Any]) -> None:
    """The classes counted in public repositories, where a plan can mend them."""
    mended = []
    for defect in field.DEFECTS:
        if defect.rule in PLANNED:
            repository = new_repository().write(defect.changes)
            if repository.plan(defect.rule).fixes:
                check(repository, defect.rule)
                mended.append(defect.rule)
    assert len(mended) > 15


def together(left: dict[str, Any], right: dict[str, Any], healthy: dict[str, str]) -> dict[str, Any] | None:
    """Both changes at once, where they do not concern the same text."""
    both = dict(left)
    for name, new in right.items():
        here = both.get(name, new)
        if here is None or new is None or (here is not new and isinstance(new, str)):
            if here != new:
                return None
        elif here is not new:
            text = here if isinstance(here, str) else healthy[name].replace(*here)
            if new[0] not in text:
                return None
            both[name] = text.replace(*new)
        else:
            both[name] = new
    return both


def test_pairs_of_faults_are_mended_in_one_plan(field: Any, new_repository: Callable[[], Any]) -> None:
    """Everything that a plan can mend in a repository with two faults: what it is definite about comes true."""
    pairs = [
        both
        for one, other in combinations(FAULTS, 2)
        if (both := together(one["change"], other["change"], field.HEALTHY)) is not None
    ]
    for change in Random(7).sample(pairs, 16):
        repository = new_repository().write(change)
        untouched, plan = repository.bytes(), repository.plan()
        applied = repository.apply(plan)
        assert applied.failure is None, change
        after = repository.observe().proven
        assert {one.fingerprint for one in plan.forecast.solved}.isdisjoint(after), change
        assert {one.fingerprint for one in plan.forecast.remaining} <= set(after), change
        if plan.steps:
            assert not repository.undo().left
        assert repository.bytes() == untouched
