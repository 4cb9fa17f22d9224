"""The symptoms seen in any of the logs, as one list: a rule that a text alone proves has one finding a hit."""

from __future__ import annotations

from pfdoctor.core.model import Json

View = dict[str, Json]


def derive_hits(logs: Json) -> list[View] | None:
    """Every hit of every log, in order, each with the `log` it is from; None where no log was given."""
    if not logs:
        return None
    return [
        {**hit, "log": log.get("source"), "ours": log.get("ours"), "captures": hit.get("captures") or {}}
        for log in logs
        for hit in log.get("hits") or ()
    ]
