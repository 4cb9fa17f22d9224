"""Every remedy with actions, on real files: planned, applied, verified and undone, byte for byte.

The faults are those of tests/fixtures/remedies.yaml and of the field classes. This is also where the fifth law is held:
what the forecast is definite about is what is found afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pfdoctor import catalog
from pfdoctor.core.model import Level

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
    check_after(repository, plan, rule)
    changed = repository.bytes()
    # fix(fix(x)) = fix(x): neither the same plan again nor a new one finds anything to do
    assert not repository.apply(plan).fixed
    assert not repository.plan(rule).steps
    assert repository.bytes() == changed
    assert not repository.undo().left
    assert repository.bytes() == untouched
    assert not repository.journal.with_name("plan.json.journal.undo").exists()


def check_after(repository: Any, plan: Any, rule: str) -> None:
    """The rule passes, what was foreseen is true, and nothing is found that was not foreseen."""
    after = repository.observe().proven
    assert rule not in {one.rule for one in after.values()}
    forecast = plan.forecast
    assert {one.fingerprint for one in forecast.solved}.isdisjoint(after)
    assert {one.fingerprint for one in forecast.remaining} <= set(after)
    assert not forecast.introduced
    foreseen = {one.fingerprint for one in (*forecast.remaining, *forecast.undecided, *forecast.revealed)}
    assert {one.rule for key, one in after.items() if key not in foreseen} == set()


@pytest.mark.parametrize("dress", [plain, windows])
@pytest.mark.parametrize("fault", FAULTS, ids=[one["rule"] for one in FAULTS])
def test_a_remedy_mends_what_it_says(repository: Any, fault: dict[str, Any], dress: Callable[[str], str]) -> None:
    repository.write(fault["change"], dress)
    check(repository, fault["rule"])


SAFE = [
    fault
    for fault in FAULTS
    if any(spec.actions and spec.level is Level.SAFE for spec in ALL[fault["rule"]].wording.remedies)
]


def decorated(text: str, seed: int) -> str:
    """The same YAML as somebody else might have written it: comments, blank lines, quotes, other line ends."""
    random = Random(seed)
    newline = random.choice(["\n", "\r\n"])
    lines: list[str] = []
    for written in text.split("\n"):
        line = written
        if random.random() < 0.15:
            lines.append(random.choice(["", "# a comment", "    # an indented one: {a: 1}"]))
        plain = re.fullmatch(r"(\s*[\w$]+: )([A-Za-z][\w./-]*)", line)
        if plain is not None and plain[2] not in ("true", "false", "null", "yes", "no") and random.random() < 0.4:
            quote = random.choice("\"'")
            line = f"{plain[1]}{quote}{plain[2]}{quote}"
        if line.strip() and not line.endswith(("|", ">")) and random.random() < 0.2:
            line += random.choice(["  # why", " # {x: 1}", "   "])
        lines.append(line)
    dressed = newline.join(lines)
    return ("\ufeff" if random.random() < 0.2 else "") + dressed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fault=st.sampled_from(SAFE), seed=st.integers(0, 10**6))
def test_a_safe_fix_mends_and_brings_nothing_about(
    new_repository: Callable[[], Any], fault: dict[str, Any], seed: int
) -> None:
    """However it is written: the rule passes afterwards, no other fires, a second fix finds nothing, undo is exact."""

    def dress(text: str) -> str:
        try:
            told = yaml.safe_load(text)
            dressed = decorated(text, seed)
            return dressed if isinstance(told, dict) and yaml.safe_load(dressed) == told else text
        except yaml.YAMLError:
            return text

    repository = new_repository().write(fault["change"], dress)
    before = repository.bytes()
    plan = repository.plan(fault["rule"], most=Level.SAFE)
    assume(plan.fixes)
    applied = repository.apply(plan)
    assert (applied.failure, len(applied.fixed)) == (None, len(plan.fixes))
    after = repository.bytes()
    for name in plan.files():
        lines = [before[name][0].splitlines(keepends=True), after[name][0].splitlines(keepends=True)]
        changed = sum(one not in lines[1] for one in lines[0]) + sum(one not in lines[0] for one in lines[1])
        assert changed <= 2 * len(plan.steps) + 4
    check_after(repository, plan, fault["rule"])
    assert not repository.plan(fault["rule"], most=Level.SAFE).steps
    assert not repository.undo().left
    assert repository.bytes() == before


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
