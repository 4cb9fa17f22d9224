"""Symptoms seen in a log: where one of their literals stands and, if they have one, their expression matches."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pfdoctor.core.decode import Sighting, excerpt
from pfdoctor.core.model import Json
from pfdoctor.core.redact import redact_part
from pfdoctor.core.rule import Symptom

_RAISE = re.compile(r"\s*raise [\w.]+\([fr]?[\"']")
_LINE = 4000
_DISTINCT = 50
"""Hits of one symptom with different captures that are kept."""


class Wanted:
    """What is looked for in every log of a run."""

    def __init__(self, symptoms: Mapping[str, Symptom]) -> None:
        self.symptoms = symptoms
        self.common = frozenset(symptom.id for symptom in symptoms.values() if symptom.common)
        self.in_containers = sorted(name for name, symptom in symptoms.items() if not symptom.elsewhere)
        self.by_literal: dict[str, list[tuple[Symptom, re.Pattern[str] | None]]] = {}
        for symptom in symptoms.values():
            pattern = re.compile(symptom.matches) if symptom.matches is not None else None
            for literal in symptom.contains:
                self.by_literal.setdefault(literal, []).append((symptom, pattern))
        self.literals = frozenset(self.by_literal)


_last = Wanted({})


def wanted(symptoms: Mapping[str, Symptom]) -> Wanted:
    """What the symptoms have one look for. The last answer is kept: a run looks for the same in all its logs."""
    global _last  # noqa: PLW0603 - a cache for one mapping, which has no hash
    if _last.symptoms is not symptoms:
        _last = Wanted(symptoms)
    return _last


class Seeker:
    """Gathers the hits of one log."""

    def __init__(self, sought: Wanted) -> None:
        self._common = sought.common
        self._by_literal = sought.by_literal
        self._hits: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, Json]] = {}
        self._distinct: dict[str, int] = {}
        self._last: dict[str, int] = {}

    @property
    def is_ours(self) -> bool:
        """Whether a symptom was seen that nobody else writes."""
        return any(name not in self._common for name, _ in self._hits)

    def hits(self, *, ours: bool) -> list[dict[str, Json]]:
        """What was seen, in the order of the lines: see `logs` in rules/schema/facts.schema.json.

        Where neither the log nor any symptom in it speaks of Azure ML or prompt flow, what other programs write too
        does not count.
        """
        known = ours or any(name not in self._common for name, _ in self._hits)
        counted = [hit for hit in self._hits.values() if known or hit["symptom"] not in self._common]
        return sorted(counted, key=lambda hit: (hit["line"], hit["symptom"]))

    def seen(self, sighting: Sighting) -> None:
        """A literal was found. A line of source code that would raise it is no sign that it was raised."""
        if _is_source(sighting):
            return
        for symptom, pattern in self._by_literal.get(sighting.literal, ()):
            captures: dict[str, str] = {}
            if pattern is not None:
                match = _match(pattern, sighting)
                if match is None:
                    continue
                captures = {
                    name: redact_part(match.string, *match.span(name))
                    for name, value in match.groupdict().items()
                    if value
                }
            self._add(symptom.id, captures, sighting)

    def _add(self, symptom: str, captures: dict[str, str], sighting: Sighting) -> None:
        key = (symptom, tuple(sorted(captures.items())))
        hit = self._hits.get(key)
        if hit is not None:
            if self._last.get(symptom) != sighting.line:
                hit["count"] += 1
                self._last[symptom] = sighting.line
            return
        if self._distinct.get(symptom, 0) >= _DISTINCT:
            return
        self._distinct[symptom] = self._distinct.get(symptom, 0) + 1
        self._last[symptom] = sighting.line
        self._hits[key] = {
            "symptom": symptom,
            "excerpt": excerpt(sighting.text, sighting.start, sighting.end),
            "captures": dict(captures),
            "line": sighting.line,
            "time": sighting.time(),
            "count": 1,
        }


def _is_source(sighting: Sighting) -> bool:
    begin = max(sighting.text.rfind("\n", 0, sighting.start) + 1, sighting.start - 200)
    return _RAISE.match(sighting.text, begin, sighting.start) is not None


def _match(pattern: re.Pattern[str], sighting: Sighting) -> re.Match[str] | None:
    """The expression on the line of the literal; where a console wrapped that, with the two after it, then before."""
    text = sighting.text
    first = max(text.rfind("\n", 0, sighting.start) + 1, sighting.start - _LINE)
    last = sighting.end
    found: re.Match[str] | None = None
    for _ in range(3):
        last = _end_of_line(text, last, first + 2 * _LINE)
        found = _search(pattern, text[first:last])
        if found is not None or last >= len(text):
            break
        last += 1
    for _ in range(2):
        if found is not None or first == 0:
            break
        first = max(text.rfind("\n", 0, first - 1) + 1, sighting.start - _LINE)
        found = _search(pattern, text[first:last])
    return found


def _end_of_line(text: str, position: int, most: int) -> int:
    newline = text.find("\n", position)
    return min(newline if newline >= 0 else len(text), most)


def _search(pattern: re.Pattern[str], lines: str) -> re.Match[str] | None:
    return pattern.search(lines if "\n" not in lines else " ".join(map(str.strip, lines.split("\n"))))
