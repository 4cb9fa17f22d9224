"""What was read of an endpoint, and what it came to: small where the facts are large, for it crosses processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.audit.record import record, wants_more
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Json, Unknown


class Read(NamedTuple):
    """The facts of an endpoint's deployments, and why the log of one could not be read."""

    endpoint: Endpoint
    cases: list[Facts]
    log_unread: Unknown | None


class Examined(NamedTuple):
    """The endpoint's entry in the report, and whether a brief reading left a question."""

    entry: dict[str, Json]
    wants_more: bool


def examined(read: Read, diagnose: Callable[[Facts], CaseResult]) -> Examined:
    """What the endpoint comes to by the rules that `diagnose` runs on each case."""
    cases = [(facts, diagnose(facts)) for facts in read.cases]
    return Examined(
        record(read.endpoint, cases, read.log_unread), any(wants_more(facts, result) for facts, result in cases)
    )
