"""What was read of an endpoint, and what it came to: small where the facts are large, for it crosses processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.audit.record import record, wants_more
from pfdoctor.collect.azure.collector import Collected
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Json, Unknown
from pfdoctor.core.rule import Symptom


class Read(NamedTuple):
    """What was collected of an endpoint's deployments, and why the log of one could not be read."""

    endpoint: Endpoint
    cases: list[Collected]
    log_unread: Unknown | None


class Examined(NamedTuple):
    """The endpoint's entry in the report, and whether a brief reading left a question."""

    entry: dict[str, Json]
    wants_more: bool


def examined(read: Read, symptoms: Mapping[str, Symptom], diagnose: Callable[[Facts], CaseResult]) -> Examined:
    """What the endpoint comes to by the rules that `diagnose` runs on each case, with `symptoms` sought in its logs."""
    cases = [(facts, diagnose(facts)) for facts in (one.read(symptoms) for one in read.cases)]
    return Examined(
        record(read.endpoint, cases, read.log_unread), any(wants_more(facts, result) for facts, result in cases)
    )
