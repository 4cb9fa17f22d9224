"""What was asked of the simulator: the evidence for what a client did and did not do."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple


@dataclass
class Ongoing:
    """What is known of a request while it is being answered."""

    id: str
    principal: str = ""


ONGOING: ContextVar[Ongoing] = ContextVar("ongoing")
"""The request that the current task answers."""


class Request(NamedTuple):
    """One request that arrived, on whichever of the simulator's ports."""

    server: str  # arm, identity or online
    method: str
    path: str
    query: str
    api_version: str
    principal: str
    """Object id, or an empty text where nobody was signed in."""
    status: int
    """0: the connection was cut instead of an answer."""
    request_id: str
    time: float
    """Seconds since 1970, of the simulated clock."""
    fault: str = ""
    """The kind of the fault that struck it, if any."""
    done: int = 0
    """The status that the call itself came to, whatever was answered instead; 0: it never got so far."""
