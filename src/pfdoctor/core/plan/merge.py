"""Steps of several fixes on one resource become one: a deployment is rolled out once, whatever is changed of it.

The order: files first, then what others lean on — a role before the roll-out that needs it, an environment version
before the deployment that is pointed at it, a deployment before the traffic.
"""

from __future__ import annotations

from collections.abc import Sequence

from pfdoctor.core.plan.resource import (
    GrantRole,
    NewVersion,
    RegisterProvider,
    SyncKeys,
    UpdateDeployment,
    UpdateEndpoint,
)
from pfdoctor.core.plan.step import Fix, Step

_MERGED = NewVersion | UpdateDeployment | UpdateEndpoint
_ORDER: tuple[type, ...] = (RegisterProvider, GrantRole, SyncKeys, NewVersion, UpdateDeployment, UpdateEndpoint)


def merged(fixes: Sequence[Fix], steps: Sequence[Step]) -> tuple[tuple[Fix, ...], tuple[Step, ...]]:
    """The fixes and steps with new ids, in the order in which they run."""
    kept: list[Step] = []
    by_target: dict[tuple[type, str], int] = {}
    place: dict[int, int] = {}
    for step in steps:
        edit = step.edit
        if isinstance(edit, _MERGED):
            at = by_target.setdefault((type(edit), edit.target.lower()), len(kept))
            place[step.id] = at
            if at < len(kept):
                kept[at] = _joined(kept[at], step)
                continue
        place[step.id] = len(kept)
        kept.append(step)
    order = sorted(range(len(kept)), key=lambda index: (_rank(kept[index]), index))
    number = {old: new for new, old in enumerate(order, start=1)}
    ids = {step: number[at] for step, at in place.items()}
    numbered = tuple(kept[index]._replace(id=number[index]) for index in order)
    needed = _needed(numbered)
    kinds = {step.id: _rank(step) for step in numbered}
    renumbered = (
        fix._replace(steps=tuple(sorted({one for step in fix.steps for one in (ids[step], *needed[ids[step]])})))
        for fix in fixes
    )
    # fixes run one after the other: one that rolls out waits for those that grant what the roll-out needs
    return tuple(sorted(renumbered, key=lambda fix: max((kinds[step] for step in fix.steps), default=0))), numbered


def _needed(steps: Sequence[Step]) -> dict[int, tuple[int, ...]]:
    """The steps that each one leans on: a deployment pointed at a new version needs it, whoever asked for it."""
    versions = {step.edit.target: step.id for step in steps if isinstance(step.edit, NewVersion)}
    return {
        step.id: tuple(
            versions[one.value] for one in step.edit.changes if isinstance(one.value, str) and one.value in versions
        )
        if isinstance(step.edit, UpdateDeployment)
        else ()
        for step in steps
    }


def _rank(step: Step) -> int:
    return _ORDER.index(type(step.edit)) + 1 if type(step.edit) in _ORDER else 0


def _joined(one: Step, other: Step) -> Step:
    left, right = one.edit, other.edit
    if not (isinstance(left, _MERGED) and isinstance(right, _MERGED)):
        return one
    changes = {change.path: change for change in (*right.changes, *left.changes)}
    ordered = tuple(changes[path] for path in dict.fromkeys(change.path for change in (*left.changes, *right.changes)))
    level = max(one.level, other.level, key=lambda level: level.rank)
    return one._replace(edit=left._replace(changes=ordered), level=level, permitted=one.permitted)
