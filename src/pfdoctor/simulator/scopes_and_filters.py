"""What the lists of Microsoft.Authorization have in common: their scope and their `$filter`."""

from __future__ import annotations

import re
from collections.abc import Callable

from pfdoctor.simulator.call import Call
from pfdoctor.simulator.errors import bad_request
from pfdoctor.simulator.ids import scope_key

_FILTER = re.compile(
    r"(?P<at>atScope\(\s*\))|assignedTo\(\s*'(?P<assigned>[^']*)'\s*\)|principalId\s+eq\s+'(?P<principal>[^']*)'"
    r"|(?P<below>atScopeAndBelow\(\s*\))|roleName\s+eq\s+'(?P<role>[^']*)'|type\s+eq\s+'(?P<type>[^']*)'"
    r"|(?P<target>asTarget\(\s*\))",
    re.IGNORECASE,
)


class Filter:
    """A `$filter` of this provider, as far as ARM takes it."""

    def __init__(self, text: str) -> None:
        self.at_scope = self.target = False
        self.assigned = self.principal = self.role = self.type = None
        rest = text.strip()
        while rest:
            match = _FILTER.match(rest)
            if match is None:
                raise bad_request(f"The filter '{text}' is not supported.", "InvalidFilter")
            found = match.groupdict()
            self.at_scope = self.at_scope or bool(found["at"])
            self.target = self.target or bool(found["target"])
            self.assigned = found["assigned"] or self.assigned
            self.principal = found["principal"] or self.principal
            self.role = found["role"] or self.role
            self.type = found["type"] or self.type
            rest = re.sub(r"^\s*and\s+", "", rest[match.end() :], flags=re.IGNORECASE).strip()
        if self.principal and (self.at_scope or self.assigned):
            raise bad_request(
                "The filter combines principalId with another condition; that is not supported.", "UnsupportedQuery"
            )


def scope_of(call: Call) -> str:
    """The key of the scope that a list or an authorization resource belongs to."""
    return scope_key(call.target.scope)


def definition_prefix(call: Call) -> str:
    """What stands before a role definition's id in an answer: the subscription asked in, if any."""
    return f"/subscriptions/{call.target.subscription}" if call.target.subscription else ""


def related_to(call: Call, scope: str, *, below: bool) -> Callable[[str], bool]:
    """Whether another scope is at the given one or above, or, with `below`, below it."""
    above = set(call.world.access.above(scope))
    start = "/" if scope == "/" else scope + "/"

    def related(other: str) -> bool:
        key = scope_key(other)
        return key in above or (below and key.startswith(start))

    return related
