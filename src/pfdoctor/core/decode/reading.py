"""Reads a text piece by piece, in bounded memory: its errors, how far a start came, and where literals stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pfdoctor.core.decode import exceptions
from pfdoctor.core.decode.anchors import ANCHORS, SINGLE_LINE, SPANNING
from pfdoctor.core.decode.escapes import levels
from pfdoctor.core.decode.lines import clean, time_of
from pfdoctor.core.decode.literals import LiteralSearch
from pfdoctor.core.decode.record import Decoded, Decoder, Found, decoded
from pfdoctor.core.decode.stages import RANKS, STAGES, STARTS
from pfdoctor.core.decode.storms import storms
from pfdoctor.core.decode.window import LineCounter, Window

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
_CALLS = 100
"""So many errors of one form stand on one line at most, even where a whole log is one string of JSON."""
_SAME = 80
"""Letters by which two messages of one code are told apart."""
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


@lru_cache(maxsize=8)
def _search(literals: frozenset[str]) -> LiteralSearch:
    """Kept: a folder may hold a thousand logs, and what is looked for is the same in each."""
    return LiteralSearch((*ANCHORS, *RANKS, *sorted(literals)))


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
        self._search = _search(self._wanted)
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
        self._calls: dict[Decoder, tuple[int, int]] = {}
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
        return sorted([*self._errors.values(), *storms(self._errors.values())], key=lambda one: one.line)

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
        window = Window(raw, before + now + after, self._first_line)
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

    def _read(self, window: Window, begin: int, end: int) -> None:
        text = window.text
        lines = LineCounter(text, window.first_line)
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

    def _inside(self, window: Window, position: int, line: int, end: int) -> int:
        """Reads the texts inside the line that holds a backslash at `position`; where the next backslash is."""
        text = window.text
        start = max(text.rfind("\n", 0, position) + 1, position - _CONTEXT)
        stop = text.find("\n", position)
        stop = min(stop if stop >= 0 else len(text), start + _LONGEST)
        whole = text[start:stop]
        timer = window.timer(line)
        seen = {one.literal for one in self._search.finditer(whole)}
        for inner in levels(whole):
            known = {(one.kind, one.code) for one in self._errors.values() if one.line == line}
            new = []
            for one in self._search.finditer(inner):
                if one.literal not in seen or one.literal in ANCHORS:
                    self._take(Sighting(one.literal, inner, one.start, one.end, line, timer), None, known)
                    new.append(one.literal)
            seen.update(new)
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
            if self._is_tired(decoder, sighting.line):
                continue
            if decoder in SINGLE_LINE:
                self._decode_line(sighting, decoder, known)
            else:
                self._decode(sighting, decoder, offset, known)

    def _is_tired(self, decoder: Decoder, line: int) -> bool:
        """Whether a decoder was called so often for one line that it is no error but a repetition of its beginning."""
        before, calls = self._calls.get(decoder, (0, 0))
        self._calls[decoder] = (line, calls + 1 if before == line else 1)
        return before == line and calls >= _CALLS

    def _decode_line(self, sighting: Sighting, decoder: Decoder, known: set[tuple[str, str | None]] | None) -> None:
        """An error of one line, which was perhaps read before."""
        if decoder is exceptions.bare and self._is_covered(sighting, "traceback", known):
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
        message = (found.message or "")[:300]
        if found.kind in _COUNTED:
            message = re.sub(r"\d+", "#", message)
        # the same error ends with a full stop here and with a hint there
        key = (found.kind, found.code, " ".join(re.sub(r"\W+", " ", message).split())[:_SAME])
        if known is not None and (found.kind, found.code) in known:
            return key
        known_as = self._errors.get(key)
        if known_as is not None:
            if len(found.fields) > len(known_as.fields):
                # named in passing before; here is its traceback
                fuller = decoded(found, sighting.text, known_as.line, None)
                self._errors[key] = known_as._replace(fields=fuller.fields | known_as.fields)
            self._count(key, sighting.line)
        elif len(self._errors) < _DISTINCT:
            line = sighting.line + (_lines_between(sighting, found.start) if known is None else 0)
            self._errors[key] = decoded(found, sighting.text, line, sighting.time())
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


def _lines_between(sighting: Sighting, position: int) -> int:
    """How many lines lie from a sighting to another position in its text; negative before it."""
    if position >= sighting.start:
        return sighting.text.count("\n", sighting.start, position)
    return -sighting.text.count("\n", position, sighting.start)


def _to_second(time: str) -> str:
    return time[:19]
