"""What a role (or a deny assignment) holds: actions minus notActions, each element of `permissions` by itself."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.access.conditions import ignores
from pfdoctor.core.access.patterns import Match, match
from pfdoctor.core.access.reading import elements, field, texts
from pfdoctor.core.model import Json, Unknown

NONE, CONDITIONAL, FULL = range(3)
"""How far something reaches: not at all, under a condition, in full."""


class Blame(NamedTuple):
    """What keeps a verdict open: a code of ours and the fact that nobody could observe."""

    code: str
    reason: Unknown


class Reach(NamedTuple):
    """How far a role holds an action: at least and at most, with what leaves it open, and the pattern that matched."""

    least: int = NONE
    most: int = NONE
    blame: tuple[Blame, ...] = ()
    pattern: str | None = None
    lenient: bool = False
    condition: str | None = None
    excluded_by: str | None = None

    @property
    def is_open(self) -> bool:
        return self.least != self.most


UNCERTAIN_WILDCARD = Unknown("uncertain-wildcard", "whether /*/ also matches a lone / is not documented")


def condition_reach(condition: Json, action: str) -> tuple[int, int]:
    """How far what stands under this condition reaches, at least and at most."""
    if isinstance(condition, Unknown):
        return CONDITIONAL, FULL
    if not isinstance(condition, str) or not condition.strip() or ignores(condition, action):
        return FULL, FULL
    return CONDITIONAL, CONDITIONAL


def reach(permissions: Json, action: str, *, data: bool, denies: bool = False, code: str) -> Reach:
    """How far the permissions hold the action. What leaves it open is blamed under `code`.

    A lenient match grants, with a note; it excludes or denies only perhaps.
    """
    known, why = elements(permissions)
    found = [_element(one, action, data=data, denies=denies, code=code) for one in known]
    blame = [item for one in found for item in one.blame]
    most = max((one.most for one in found), default=NONE)
    if why is not None:
        blame.append(Blame(code, why))
        most = FULL
    best = max(found, key=lambda one: (one.least, not one.lenient, one.most), default=Reach())
    excluded = next((one.excluded_by for one in found if one.excluded_by), None)
    return best._replace(most=most, blame=tuple(blame), excluded_by=excluded)


def _element(permission: Json, action: str, *, data: bool, denies: bool, code: str) -> Reach:
    names = ("data_actions", "not_data_actions") if data else ("actions", "not_actions")
    held = _matched(field(permission, names[0]), action, code)
    if held.most == NONE:
        return held
    if denies and held.lenient:
        held = held._replace(least=NONE, blame=(*held.blame, Blame("UNCERTAIN_WILDCARD", UNCERTAIN_WILDCARD)))
    excluded = _matched(field(permission, names[1]), action, code)
    blame = held.blame
    if excluded.least == FULL and not excluded.lenient:
        return Reach(excluded_by=excluded.pattern, pattern=held.pattern)
    if excluded.most == FULL:
        blame = (*blame, *excluded.blame)
        if excluded.lenient:
            blame = (*blame, Blame("UNCERTAIN_WILDCARD", UNCERTAIN_WILDCARD))
        held = held._replace(least=NONE, blame=blame)
    condition = field(permission, "condition")
    least, most = condition_reach(condition, action)
    if least != most and isinstance(condition, Unknown):
        blame = (*blame, Blame(code, condition))
    stated = condition if isinstance(condition, str) and most == CONDITIONAL else None
    return held._replace(least=min(held.least, least), most=min(held.most, most), blame=blame, condition=stated)


def _matched(patterns: Json, action: str, code: str) -> Reach:
    """Whether one of the patterns matches: FULL or NONE, at least and at most."""
    known, why = texts(patterns)
    lenient: str | None = None
    for pattern in known:
        how = match(pattern, action)
        if how is Match.EXACT:
            return Reach(FULL, FULL, pattern=pattern)
        if how is Match.LENIENT:
            lenient = lenient or pattern
    if lenient is not None:
        return Reach(FULL, FULL, pattern=lenient, lenient=True)
    return Reach(NONE, FULL if why is not None else NONE, (Blame(code, why),) if why is not None else ())
