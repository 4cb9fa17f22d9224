"""Faults put between the simulated Azure and its clients: everything that a network, a proxy or a bad day can do."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "status": "an ARM error: status, code, message, retry_after",
    "throttled": "429 with Retry-After (retry_after, default 1 second)",
    "malformed": "200 whose body is no JSON",
    "truncated": "an answer that breaks off half way",
    "html": "a proxy's page: status (default 403)",
    "empty": "200 without a body",
    "wrong-type": "200 with JSON of another type (body, default [])",
    "slow": "the true answer after some seconds",
    "reset": "the connection is reset before any answer",
    "close": "the connection is closed before any answer",
    "page-loop": "the true answer with a nextLink that leads to itself",
    "lost": "the call takes effect, and the connection is closed instead of an answer",
    "hang": "the call takes no effect, and no answer comes (for some seconds, then the connection is closed)",
    "hang-after": "the same, but the call takes effect first",
}
"""What hangs does so until the client gives up or the faults are cleared."""


@dataclass
class Fault:
    """A rule: which calls, and what happens to them."""

    kind: str
    details: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    path: re.Pattern[str] | None = None
    """Searched in the path and query, without regard to case."""
    nth: frozenset[int] = frozenset()
    """Only these of the matching calls, counted from 1; empty: all."""
    probability: float = 1.0
    random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - reproducible on purpose
    seen: int = 0
    hits: int = 0
    """How many calls it has struck."""
    held: int = 0
    """How many calls it has left hanging; of "hang-after", once they took effect."""

    def strikes(self, method: str, path: str) -> bool:
        """Whether this call is struck; counts it."""
        if self.method is not None and self.method.upper() != method:
            return False
        if self.path is not None and not self.path.search(path):
            return False
        self.seen += 1
        if self.nth and self.seen not in self.nth:
            return False
        if self.probability < 1.0 and self.random.random() >= self.probability:
            return False
        self.hits += 1
        return True


def fault_of(match: Mapping[str, Any], fault: str | Mapping[str, Any]) -> Fault:
    """The rule for `match` (method, path, nth, first, probability, seed) and `fault` (a kind, or a mapping with one).

    Raises ValueError for what it does not know.
    """
    details = {"kind": fault} if isinstance(fault, str) else dict(fault)
    kind = str(details.pop("kind", ""))
    if kind not in KINDS:
        raise ValueError(f"no fault {kind!r}; there are: {', '.join(KINDS)}")
    unknown = set(match) - {"method", "path", "nth", "first", "probability", "seed"}
    if unknown:
        raise ValueError(
            f"a match has no {', '.join(sorted(unknown))}; it has method, path, nth, first, probability, seed"
        )
    nth = match.get("nth", range(1, int(match.get("first", 0)) + 1))
    return Fault(
        kind,
        details,
        method=match.get("method"),
        path=re.compile(str(match["path"]), re.IGNORECASE) if match.get("path") else None,
        nth=frozenset([nth] if isinstance(nth, int) else nth),
        probability=float(match.get("probability", 1.0)),
        random=random.Random(match.get("seed", 0)),  # noqa: S311 - reproducible on purpose
    )
