"""The symptoms seen in any of the logs, as one list: a rule that a text alone proves has one finding a hit."""

from __future__ import annotations

from pfdoctor.core.model import Json, Unknown

View = dict[str, Json]


def derive_hits(logs: Json) -> Json:
    """Every hit of every log, in order, each with the `log` it is from; None where no log was given.

    The list is incomplete where a log could not be read: nothing was looked for in it, so nothing is absent from it.
    """
    if not logs:
        return None
    hits = [
        {**hit, "log": log.get("source"), "ours": log.get("ours"), "captures": hit.get("captures") or {}}
        for log in logs
        for hit in log.get("hits") or ()
    ]
    unread = next((log for log in logs if log.get("looked_for") == [] and log.get("cut")), None)
    if unread is None:
        return hits
    return {"$incomplete": Unknown("log-unread", unread["cut"]).to_json()["$unknown"], "items": hits}
