"""Errors that were read from logs and that no symptom covers: a clear error is never passed over in silence."""

from __future__ import annotations

import re

from pfdoctor.core.codes import meaning_of
from pfdoctor.core.model import Json

View = dict[str, Json]

_KINDS = frozenset(
    ("arm", "authorization", "exception", "pip", "conda", "docker", "worker", "memory", "network", "platform", "llm")
)
"""Kinds that tell of a failure; an access log's 404, a probe or a retry is none by itself."""
_NEAR = {"arm": 8, "exception": 0}
"""Within so many lines of a symptom an error is the same thing: clients print code, message and target one by one."""
_WRAPPERS = frozenset(("HttpResponseError", "OperationFailed", "BadStatus", "CalledProcessError", "HaltServer"))
"""Exceptions that only pass on what went wrong: beside a symptom they tell nothing new."""
_LEAST = 12
"""Letters that a message must have to be recognised in the line of a symptom."""
_MOST = 20


def derive_unexplained(logs: Json) -> list[View] | None:
    """The errors of every log without a symptom of their own, each with its `log`; None where no log was given.

    Logs that speak of another product are left out.
    """
    if not logs:
        return None
    told = [str(hit.get("excerpt") or "") for log in logs for hit in log.get("hits") or ()]
    words = [_words(one) for one in told]
    return [
        _entry(error, log)
        for log in logs
        if log.get("ours") is not False
        for error in log.get("errors") or ()
        if error.get("kind") in _KINDS and not _is_covered(error, log, words)
    ][:_MOST]


def _is_covered(error: View, log: View, told: list[str]) -> bool:
    if error.get("code") in _WRAPPERS and log.get("hits"):
        return True
    line = error.get("line") or 0
    near = _NEAR.get(str(error.get("kind")), 1)
    if any(abs(line - (hit.get("line") or 0)) <= near for hit in log.get("hits") or ()):
        return True
    fields = error.get("fields") or {}
    messages = [_words(str(one)) for one in (error.get("message"), fields.get("raised_message")) if one]
    return any(
        (len(message) >= _LEAST and message[:80] in one) or (len(one) >= _LEAST and one[:200] in message)
        for message in messages
        for one in told
    )


def _entry(error: View, log: View) -> View:
    fields = error.get("fields") or {}
    code, message = error.get("code"), error.get("message")
    known = meaning_of(str(code)) if code else None
    file, line = fields.get("user_file") or fields.get("file"), fields.get("line")
    return {
        "kind": error["kind"],
        "code": code,
        "message": " ".join(str(message).split())[:300] if message else None,
        "meaning": known.meaning if known is not None else None,
        "next": known.next if known is not None else None,
        "owner": fields.get("owner"),
        "file": file,
        "place": (f"{file}:{line}" if file == fields.get("file") and line else file),
        "ours": log.get("ours"),
        "log": log.get("source"),
        "line": error.get("line"),
        "excerpt": error.get("excerpt"),
    }


def _words(text: str) -> str:
    """The words alone: the same message comes in JSON, in a dict, and quoted."""
    return " ".join(re.sub(r"\W+", " ", text).split()).lower()
