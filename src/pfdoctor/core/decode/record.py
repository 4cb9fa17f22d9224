"""What decoding comes to: errors with a place, and how the decoders hand them over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from pfdoctor.core.model import Json
from pfdoctor.core.redact import literals_of, redact_part, redact_text, redact_value, without_literals

MAX_MESSAGE = 2000
"""Letters of a message that are kept."""
MAX_EXCERPT = 400
"""Letters of an excerpt."""
_AROUND = 4000
"""Letters before and after an error by which its secrets are recognised."""


class Found(NamedTuple):
    """An error from `start` to `end` of a text, as a decoder found it: nothing is redacted yet.

    `kind` says what wrote it: arm, authorization, http, exception, pip, conda, docker, worker, memory, probe, llm,
    retry or network. `code` is the error's own name: `ResourceNotReady`, `ModuleNotFoundError`, `424`.
    """

    start: int
    end: int
    kind: str
    code: str | None
    message: str | None
    fields: dict[str, Json]


Decoder: TypeAlias = Callable[[str, int, int], "list[Found]"]
"""Reads the errors around a literal that was found from `start` to `end` of a text; none when it is something else."""


class Decoded(NamedTuple):
    """An error that was read from a text; redacted. Lines are 1-based; `occurrences` says how often it was seen."""

    kind: str
    code: str | None
    message: str | None
    fields: dict[str, Json]
    line: int
    excerpt: str
    time: str | None = None
    occurrences: int = 1

    def to_json(self) -> dict[str, Json]:
        """As the facts hold it: `logs.errors` of rules/schema/facts.schema.json."""
        fields = self._asdict()
        return {**{name: fields[name] for name in self._fields if name != "occurrences"}, "count": self.occurrences}


def decoded(found: Found, text: str, line: int, time: str | None) -> Decoded:
    """The error as it may leave: redacted, and its message no longer than `MAX_MESSAGE`."""
    # what is taken out of a text may be a secret without the name before it, or a part of one
    around = text[max(0, found.start - _AROUND) : found.end + _AROUND]
    literals = literals_of(around)
    said = None if found.message is None else found.message.strip()[: 2 * MAX_MESSAGE]
    message = None if said is None else shorten(redact_text(without_literals(said, literals)))
    fields = redact_value(
        {name: without_literals(value, literals) for name, value in found.fields.items() if value is not None}
    )
    return Decoded(found.kind, found.code, message, fields, line, excerpt(text, found.start, found.end), time)


def shorten(text: str, limit: int = MAX_MESSAGE) -> str:
    """The text, or its beginning where it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def excerpt(text: str, start: int, end: int) -> str:
    """The line in which a match begins, without its secrets; of a very long line what stands around the match."""
    first = max(text.rfind("\n", 0, start) + 1, start - _AROUND)
    newline = text.find("\n", start)
    last = min(newline if newline >= 0 else len(text), start + _AROUND)
    # what is redacted is longer than what is shown, so that a secret is recognised before it is cut
    whole = text[max(0, first - _AROUND) : last + _AROUND]
    from_whole = max(0, first - _AROUND)
    before, after = redact_part(whole, first - from_whole, last - from_whole), ""
    if len(before) > MAX_EXCERPT:
        literal = text[start : min(end, last)]
        position = before.find(literal)
        middle = position if position >= 0 else min(start - first, len(before))
        begin = max(0, middle - MAX_EXCERPT // 4)
        after = "…" if begin + MAX_EXCERPT < len(before) else ""
        before = ("…" if begin else "") + before[begin : begin + MAX_EXCERPT - 2]
    return (before + after).strip()
