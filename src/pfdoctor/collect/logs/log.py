"""One log as facts: what it is, how far it can be trusted, and what stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from pfdoctor.collect.logs.pasted import as_printed
from pfdoctor.collect.logs.symptoms import Seeker, wanted
from pfdoctor.collect.logs.unwrap import unwrapped
from pfdoctor.core.decode import Reading, Sighting
from pfdoctor.core.model import Json
from pfdoctor.core.relevance import Relevance
from pfdoctor.core.rule import Symptom

_HEAD = 65_536
_FORMATS = (
    (
        "github-actions",
        r"(?m)^\ufeff?(?:[^\t\n]+\t[^\t\n]+\t)?[\d-]{10}T[\d:.]+Z (?:##\[(?:end)?group\]|Current runner version|::)",
    ),
    ("azure-devops", r"(?m)^\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ##\[(?:section|command|debug|warning|error)\]|##vso\["),
    ("get-logs", r"(?m)^(?:\"?Instance status:|SystemSetup: |UserContainerImagePull: )"),
    ("serving-log", r"promptflow-serving|Promptflow executor|detecting promptflow run mode"),
    ("docker-build", r"(?m)^(?:#\d+ \[(?:internal|\w+ +\d+/\d+)|Step \d+/\d+ : )"),
    ("curl", r"(?m)^(?:< )?HTTP/(?:1\.[01]|2|3) \d{3}"),
    (
        "web-server-log",
        r"\[(?:INFO|ERROR|CRITICAL)\] (?:Starting gunicorn|Booting worker|Listening at)|Started server process \[",
    ),
    ("az", r"(?m)^(?:ERROR: \(|az : |cli\.azure\.|ERROR: )"),
    ("traceback", r"Traceback \(most recent call last\)"),
    ("json", r"\A\s*[{\[]"),
)
_STORAGE = re.compile(r"storage[-_]initializer|initializer-entrypoint|Initializing, args: src_uri", re.IGNORECASE)
_SERVER = re.compile(
    r"inference[-_]server|promptflow-serving|Promptflow executor|Starting gunicorn|Booting worker|Uvicorn running on"
    r"|detecting promptflow run mode|azmlinfsrv",
    re.IGNORECASE,
)
_DOTS = re.compile(r"\n[ \t>]*(?P<mark>\.{3,}|…|\[(?:\.{3}|…)\])[ \t\r]*(?=\n)")
_WORDS = ("truncated", " omitted", "<snip>", "[snip]", "--snip--", "lines skipped")
_OMITTED = re.compile(
    r"\b(?:logs?|output|lines) (?:was |is |has been |were )?(?:truncated|omitted|skipped)\b"
    r"|\[truncated\]|<snip>|\[snip\]|--snip--",
    re.IGNORECASE,
)
_TAILS = frozenset((50, 100, 200, 250, 300, 500, 1000, 2000, 5000, 10_000))
_BEGINNINGS = re.compile(
    r"Instance status:|SystemSetup: |detecting promptflow run mode|Starting gunicorn|Started server process"
    r"|Create extension with type|Initializing, args: src_uri"
)


class Knowledge(NamedTuple):
    """What the caller knows about a log that its text does not tell."""

    container: str | None = None
    """inference-server or storage-initializer."""
    complete: bool = False
    """Whether it is the whole log of the deployment that is diagnosed, since its container started."""
    newer_than: str | None = None
    """When that deployment last changed (ISO 8601, UTC): what is older speaks of another state."""
    tail: int | None = None
    """How many lines were asked for."""
    ours: bool = False
    """Whether it is known to be of the deployment or flow that is diagnosed, whatever its text looks like."""


NOTHING = Knowledge()


def facts_of(
    source: str, texts: Iterable[str], symptoms: Mapping[str, Symptom], known: Knowledge, size: list[int] | None = None
) -> dict[str, Json]:
    """The facts `logs` of one text. `size` holds the bytes that were read, once the texts have been."""
    sought = wanted(symptoms)
    seeker, omission, relevance = Seeker(sought), _Omission(), Relevance()

    def seen(sighting: Sighting) -> None:
        if sighting.literal in _WORDS:
            omission.seen(sighting)
        seeker.seen(sighting)

    reading = Reading(_literals(sought.literals), seen)
    pieces = unwrapped(texts)
    wrapping = next(pieces)
    head, letters = "", 0
    for piece in _as_printed(pieces):
        if len(head) < _HEAD:
            head += piece[: _HEAD - len(head)]
        omission.look(piece)
        letters += len(piece)
        relevance.feed(piece)
        reading.feed(piece)
    reading.finish()
    cut = _cut(reading, known, head, omission.said)
    return {
        "source": source,
        "container": known.container or _container(source, head),
        "complete": cut is None,
        "cut": cut,
        "format": "get-logs" if wrapping else _format(head),
        "time_from": reading.time_from,
        "time_to": reading.time_to,
        "lines": reading.lines,
        "bytes": size[0] if size is not None else letters,
        "stage": reading.stage,
        "looked_for": sought.in_containers,
        "ours": True if known.ours or relevance.named or seeker.is_ours else (None if relevance.ours else False),
        "hits": seeker.hits(ours=known.ours or relevance.ours),
        "errors": [error.to_json() for error in reading.errors],
    }


@lru_cache(maxsize=8)
def _literals(literals: frozenset[str]) -> frozenset[str]:
    return literals.union(_WORDS)


def _as_printed(pieces: Iterator[str]) -> Iterator[str]:
    """The pieces without what was done to them before they were pasted."""
    before: str | None = None
    count = 0
    for piece in filter(None, pieces):
        if before is not None:
            yield as_printed(before, whole=False)
        before, count = piece, count + 1
    if before is not None:
        yield as_printed(before, whole=count == 1)


class _Omission:
    """The words of whoever left a part of the log out."""

    said: str | None = None

    def seen(self, sighting: Sighting) -> None:
        """One of `_WORDS` was found."""
        if self.said is None:
            found = _OMITTED.search(sighting.text[max(0, sighting.start - 60) : sighting.end + 1])
            self.said = found[0] if found is not None else None

    def look(self, piece: str) -> None:
        """Look for lines that are nothing but dots."""
        if self.said is None:
            dots = _DOTS.search(piece)
            self.said = dots["mark"] if dots is not None else None


def _format(head: str) -> str:
    return next((name for name, pattern in _FORMATS if re.search(pattern, head)), "text")


def _container(source: str, head: str) -> str | None:
    if _STORAGE.search(source) or _STORAGE.search(head):
        return "storage-initializer"
    return "inference-server" if _SERVER.search(source) or _SERVER.search(head) else None


def _cut(reading: Reading, known: Knowledge, head: str, omission: str | None) -> str | None:
    """Why the log is not the whole word of this deployment; None when it is."""
    if omission is not None:
        return f"a part is left out ({omission})"
    if known.tail is not None and reading.lines >= known.tail:
        return f"only its last {known.tail} lines were asked for, and it has as many"
    if reading.last_line.rstrip().endswith(("...", "…", "\\")):
        return "it ends in the middle of a line"
    if known.newer_than is not None and reading.time_to is None:
        return "nothing in it says when it was written"
    if known.newer_than is not None and (reading.time_to or "")[:19] < known.newer_than[:19]:
        return f"it ends at {reading.time_to}, before the deployment last changed ({known.newer_than})"
    if known.complete:
        return None
    if reading.lines in _TAILS:
        return f"it has exactly {reading.lines} lines, as a tail of a longer log has"
    if not _BEGINNINGS.search(head):
        return "it does not begin where a container starts, and nobody says which deployment it is from"
    return "nobody says which deployment it is from, and when"
