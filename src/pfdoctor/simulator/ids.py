"""Resource ids and request paths of Azure Resource Manager, taken apart.

Names of types and resources compare without regard to case, and a doubled slash counts as one (azure-mgmt-authorization
sends one when a parent path is empty).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

RESOURCES = "Microsoft.Resources"
AUTHORIZATION = "Microsoft.Authorization"


class Target(NamedTuple):
    """What a path is about: a resource or scope, and possibly one segment more, a collection below it or an action."""

    id: str
    """The resource or scope, with the case of the request; empty for the tenant itself."""
    key: str
    """The same in lower case."""
    type: str
    """Its type (`Microsoft.X/a/b`), `Microsoft.Resources/subscriptions/resourceGroups` and so on for scopes."""
    scope: str
    """What stands before the last `/providers/`: the group of a resource, the scope of an extension resource."""
    parent: str
    """The id of the resource one level up; for a top level resource, its scope."""
    names: tuple[str, ...]
    """The names of the resource and its parents within its own namespace, outermost first."""
    tail: str
    """The odd last segment: a collection's type (GET) or an action (POST)."""
    subscription: str
    group: str

    @property
    def name(self) -> str:
        return self.names[-1] if self.names else ""

    @property
    def collection(self) -> str:
        """The type of the resources that a GET of this path lists."""
        return f"{self.type}/{self.tail}" if self.type else self.tail


@lru_cache(maxsize=65536)
def parse(path: str) -> Target:
    """Take a path or id apart. Never fails: what is no ARM path has a type nobody knows."""
    segments = [segment for segment in path.split("/") if segment]
    namespace = ""
    types: list[str] = []
    names: list[str] = []
    scope_end = 0
    subscription = group = tail = ""
    position = 0
    while position < len(segments):
        word = segments[position]
        following = segments[position + 1] if position + 1 < len(segments) else None
        if following is None:
            tail = word
            break
        if word.lower() == "providers":
            namespace, types, names = following, [], []
            scope_end = position
        else:
            types.append(word)
            names.append(following)
            if not namespace:
                subscription = following if word.lower() == "subscriptions" else subscription
                group = following if word.lower() == "resourcegroups" else group
        position += 2
    identifier = _join(segments[: len(segments) - bool(tail)])
    scope = _join(segments[:scope_end]) if namespace else ""
    if namespace and not types:
        # A provider by itself; with one segment more, a collection of it at that scope.
        return Target(identifier, identifier.lower(), namespace, scope, scope, (namespace,), tail, subscription, group)
    full = "/".join((namespace or RESOURCES, *types)) if types else ""
    parent = _join(segments[: len(segments) - bool(tail) - 2]) if len(types) > 1 else scope
    return Target(identifier, identifier.lower(), full, scope, parent, tuple(names), tail, subscription, group)


def _join(segments: list[str]) -> str:
    return "/" + "/".join(segments) if segments else ""


@lru_cache(maxsize=65536)
def scope_key(scope: str) -> str:
    """A scope as it compares: lower case, one leading slash, none at the end; `/` is the tenant."""
    return "/" + "/".join(segment for segment in scope.lower().split("/") if segment)


@lru_cache(maxsize=65536)
def prefixes(key: str) -> tuple[str, ...]:
    """A scope's key and every prefix of it that ends where a segment ends, longest first; without the tenant."""
    segments = key.split("/")
    return tuple("/".join(segments[:length]) for length in range(len(segments), 1, -1) if segments[1])


def subscription_of(key: str) -> str:
    """The subscription (lower case) that a scope's key lies in, or an empty text."""
    return key.split("/", 3)[2] if key.startswith("/subscriptions/") else ""
