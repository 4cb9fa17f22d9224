"""Reads a text piece by piece, in bounded memory: its errors, how far a start came, and where literals stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from pfdoctor.core.decode.anchors import ANCHORS, SINGLE_LINE, SPANNING
from pfdoctor.core.decode.escapes import levels
from pfdoctor.core.decode.lines import clean, time_of
from pfdoctor.core.decode.literals import LiteralSearch
from pfdoctor.core.decode.record import Decoded, Decoder, Found, decoded
from pfdoctor.core.decode.stages import RANKS, STAGES, STARTS

_ACTIVE = 1 << 20
"""Letters that are searched at a time."""
_CONTEXT = 8192
_AHEAD = 65_536
"""What decoders may look at before and behind them."""
_LONGEST = 262_144
"""Letters of one line whose escapes are taken back."""
_DISTINCT = 300
"""Different errors that are kept of one text."""
_KNOWN = 20_000
_BACK = 60
"""Lines above one without a time in which to look for the last that had one."""
_STORM = 5
"""So many retries are a storm."""
_NEAR = 10
"""An error that stands so few lines below itself is the same, printed again."""
_COUNTED = frozenset(("worker", "retry", "memory", "network", "probe", "http"))
"""Kinds whose messages differ in process ids, seconds and addresses only."""


class Sighting(NamedTuple):
    """A literal from `start` to `end` of a text that is clean, and unescaped where it was a text inside a text."""

    literal: str
    text: str
    start: int
    end: int
    line: int
    """1-based, in the source."""
    time: Callable[[], str | None]


@cache
def _own_search() -> LiteralSearch:
    return LiteralSearch((*ANCHORS, *RANKS))


def decode(text: str) -> list[Decoded]:
    """The errors in a text, in the order in which they first stand there; one that is repeated is counted."""
    reading = Reading()
    reading.feed(text)
    reading.finish()
    return reading.errors


class Reading:
    """What one text tells. `seen` is called for every sighting of one of `literals`, once a line for each of them."""

    def __init__(self, literals: Iterable[str] = (), seen: Callable[[Sighting], None] | None = None) -> None:
        self._wanted = frozenset(literals)
        self._search = LiteralSearch((*ANCHORS, *RANKS, *self._wanted)) if self._wanted else _own_search()
        self._seen = seen
        self._pending: list[str] = []
        self._length = 0
        self._active = 0
        self._first_line = 1
        self._offset = 0
        """How many clean letters lie before the window."""
        self._return = ""
        self._errors: dict[tuple[object, ...], Decoded] = {}
        self._known: dict[tuple[str, str], tuple[tuple[object, ...], ...]] = {}
        self._last: dict[tuple[object, ...], int] = {}
        self._covered: dict[str, int] = {}
        self._rank = -1
        self.lines = 0
        """Lines that were read."""
        self.time_from: str | None = None
        self.time_to: str | None = None
        self.last_line = ""

    @property
    def stage(self) -> str | None:
        """The last stage that the last start reached, by the name it has in `STAGES`."""
        return STAGES[self._rank].name if self._rank >= 0 else None

    @property
    def errors(self) -> list[Decoded]:
        """The different errors, in the order in which they were first seen."""
        return sorted([*self._errors.values(), *self._storm()], key=lambda one: one.line)

    def feed(self, text: str) -> None:
        """More of the text."""
        text = self._return + text
        self._return = "\r" if text.endswith("\r") else ""
        if self._return:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        self._pending.append(text)
        self._length += len(text)
        while self._length - self._active > _ACTIVE + _AHEAD:
            self._process(last=False)

    def finish(self) -> None:
        """The text has ended."""
        if self._length > self._active:
            self._process(last=True)

    def _process(self, *, last: bool) -> None:
        raw = "".join(self._pending)
        begin = self._active
        if last:
            end = len(raw)
        else:
            limit = begin + _ACTIVE
            end = raw.rfind("\n", begin, limit) + 1
            if end <= begin:
                end = limit  # one line without an end
        before, now, after = clean(raw[:begin]), clean(raw[begin:end]), clean(raw[end : end + _AHEAD])
        window = _Window(raw, before + now + after, self._first_line)
        self._times(raw[begin:end])
        self._read(window, len(before), len(before) + len(now))
        self.lines = window.line_of_raw(end) - (1 if last and raw.endswith("\n") else 0)
        self.last_line = raw[raw.rfind("\n", 0, max(0, end - 1)) + 1 : end][-2000:] if last else ""
        keep = raw.rfind("\n", 0, max(0, end - _CONTEXT)) + 1
        keep = keep if keep or end <= _CONTEXT else end - _CONTEXT
        self._first_line += raw.count("\n", 0, keep)
        self._offset += len(before) + len(now) - len(clean(raw[keep:end]))
        self._pending = [raw[keep:]]
        self._length = len(raw) - keep
        self._active = end - keep

    def _times(self, raw: str) -> None:
        """The earliest and the latest time: of the first and the last lines of this part that have one."""
        first = next(filter(None, map(time_of, raw[:8000].split("\n"))), None)
        last = next(filter(None, map(time_of, reversed(raw[-8000:].split("\n")))), None)
        for time in filter(None, (first, last)):
            self.time_from = min(self.time_from or time, time, key=_to_second)
            self.time_to = max(self.time_to or time, time, key=_to_second)

    def _read(self, window: _Window, begin: int, end: int) -> None:
        text = window.text
        lines = _LineCounter(text, window.first_line)
        escaped = text.find("\\", begin, end)
        for at, literal, start, stop in self._occurrences(text, begin, end):
            while 0 <= escaped < at:
                escaped = self._inside(window, escaped, lines.at(escaped), end)
            self._take(
                Sighting(literal, text, start, stop, lines.at(start), window.timer(lines.at(start))), self._offset
            )
        while escaped >= 0:
            escaped = self._inside(window, escaped, lines.at(escaped), end)

    def _occurrences(self, text: str, begin: int, end: int) -> Iterator[tuple[int, str, int, int]]:
        for one in self._search.finditer(text, begin, end):
            yield one.start, one.literal, one.start, one.end

    def _inside(self, window: _Window, position: int, line: int, end: int) -> int:
        """Reads the texts inside the line that holds a backslash at `position`; where the next backslash is."""
        text = window.text
        start = max(text.rfind("\n", 0, position) + 1, position - _CONTEXT)
        stop = text.find("\n", position)
        stop = min(stop if stop >= 0 else len(text), start + _LONGEST)
        whole = text[start:stop]
        seen = {one.literal for one in self._search.finditer(whole)}
        timer = window.timer(line)
        known = {(one.kind, one.code) for one in self._errors.values() if one.line == line}
        for inner in levels(whole):
            new = []
            for one in self._search.finditer(inner):
                if one.literal not in seen or one.literal in ANCHORS:
                    self._take(Sighting(one.literal, inner, one.start, one.end, line, timer), None, known)
                    new.append(one.literal)
            seen.update(new)
            known = {(one.kind, one.code) for one in self._errors.values() if one.line == line}
        return text.find("\\", max(stop, position + 1), end)

    def _take(self, sighting: Sighting, offset: int | None, known: set[tuple[str, str | None]] | None = None) -> None:
        """One sighting: for whoever wants its literal, for the stage, and for the decoders."""
        literal = sighting.literal
        if literal in self._wanted and self._seen is not None:
            self._seen(sighting)
        rank = RANKS.get(literal)
        if rank is not None:
            self._rank = rank if literal in STARTS else max(self._rank, rank)
        for decoder in ANCHORS.get(literal, ()):
            if decoder in SINGLE_LINE:
                self._decode_line(sighting, decoder, known)
            else:
                self._decode(sighting, decoder, offset, known)

    def _decode_line(self, sighting: Sighting, decoder: Decoder, known: set[tuple[str, str | None]] | None) -> None:
        """An error of one line, which was perhaps read before."""
        if self._is_covered(sighting, "traceback", known):
            return
        text, start = sighting.text, sighting.start
        newline = text.find("\n", start)
        begin = max(text.rfind("\n", 0, start) + 1, start - 200)
        key = (sighting.literal, text[begin : min(newline if newline >= 0 else len(text), start + 600)])
        keys = self._known.get(key)
        if keys is None:
            keys = tuple(self._add(one, sighting, known) for one in decoder(text, sighting.start, sighting.end))
            if len(self._known) < _KNOWN:
                self._known[key] = keys
        elif known is None:
            for one in keys:
                self._count(one, sighting.line)

    def _decode(
        self, sighting: Sighting, decoder: Decoder, offset: int | None, known: set[tuple[str, str | None]] | None
    ) -> None:
        family = SPANNING.get(decoder)
        if family is not None and self._is_covered(sighting, family, known):
            return
        found = decoder(sighting.text, sighting.start, sighting.end)
        for one in found:
            self._add(one, sighting, known)
        if found and family is not None and offset is not None:
            self._covered[family] = max(self._covered.get(family, 0), offset + max(one.end for one in found))

    def _is_covered(self, sighting: Sighting, family: str, known: set[tuple[str, str | None]] | None) -> bool:
        return known is None and self._offset + sighting.start < self._covered.get(family, 0)

    def _add(self, found: Found, sighting: Sighting, known: set[tuple[str, str | None]] | None) -> tuple[object, ...]:
        message = (found.message or "").strip()[:300]
        if found.kind in _COUNTED:
            message = re.sub(r"\d+", "#", message)
        key = (found.kind, found.code, " ".join(message.split()))
        if known is not None and (found.kind, found.code) in known:
            return key
        if key in self._errors:
            self._count(key, sighting.line)
        elif len(self._errors) < _DISTINCT:
            self._errors[key] = decoded(found, sighting.text, sighting.line, sighting.time())
        return key

    def _count(self, key: tuple[object, ...], line: int) -> None:
        """The same error again: another one, unless it is only repeated, as `az` and the SDK do within a few lines."""
        error = self._errors.get(key)
        if error is None:
            return
        near = 0 if error.kind in _COUNTED else _NEAR
        if line > self._last.get(key, error.line) + near:
            self._errors[key] = error._replace(occurrences=error.occurrences + 1)
            self._last[key] = line

    def _storm(self) -> list[Decoded]:
        """Many retries of whatever kind, as one error."""
        retried = [
            one
            for one in self._errors.values()
            if one.kind == "retry" or (one.kind in ("llm", "http") and one.fields.get("status") == 429)
        ]
        attempts = sum(one.occurrences for one in retried)
        if attempts < _STORM:
            return []
        first = min(retried, key=lambda one: one.line)
        causes = sorted({str(one.fields.get("error") or one.code) for one in retried})
        message = f"{attempts} retries or refusals: {', '.join(causes)}"
        fields = {"attempts": attempts, "errors": causes}
        return [Decoded("retry", "storm", message, fields, first.line, first.excerpt, first.time)]


def _to_second(time: str) -> str:
    return time[:19]


class _LineCounter:
    """The line of a position, counted from the position asked for before."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._position = 0
        self._line = first

    def at(self, position: int) -> int:
        if position >= self._position:
            self._line += self._text.count("\n", self._position, position)
        else:
            self._line -= self._text.count("\n", position, self._position)
        self._position = position
        return self._line


class _Window:
    """A part of the text with what stands around it: as it was written, and clean."""

    def __init__(self, raw: str, text: str, first_line: int) -> None:
        self.text = text
        self.first_line = first_line
        self._raw = raw
        self._lines: list[str] | None = None

    def line_of_raw(self, position: int) -> int:
        return self.first_line + self._raw.count("\n", 0, position)

    def timer(self, line: int) -> Callable[[], str | None]:
        return lambda: self._time(line)

    def _time(self, line: int) -> str | None:
        """The time of a line, or the last one before it."""
        if self._lines is None:
            self._lines = self._raw.split("\n")
        index = min(line - self.first_line, len(self._lines) - 1)
        return next(filter(None, (time_of(self._lines[at]) for at in range(index, max(-1, index - _BACK), -1))), None)
