"""Styled text: a report is laid out once, as lines of spans; plain and coloured output are two renderings of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from pfdoctor.core.model import Severity
from pfdoctor.core.pattern import Pattern

Style: TypeAlias = Literal["", "error", "warning", "info", "good", "strong", "dim", "place", "fix"]


class Span(NamedTuple):
    """A run of text in one style."""

    text: str
    style: Style = ""


Line: TypeAlias = tuple[Span, ...]
EMPTY: Line = ()

_RICH: dict[Style, str] = {
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold cyan",
    "good": "green",
    "strong": "bold",
    "dim": "dim",
    "place": "blue",
    "fix": "green",
}

# control characters and the marks that reorder what is displayed: a file name must not drive the reader's terminal
_UNSAFE = Pattern("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_WORD = Pattern("[^ ]+| +")
_UNBROKEN = "\u00a0"
_PROGRAMS = tuple(f"{name} " for name in ("az", "pfdoctor", "python", "pip", "docker", "kubectl", "pf", "curl"))


def severity_style(severity: Severity) -> Style:
    """The style that a severity is written in."""
    match severity:
        case Severity.ERROR:
            return "error"
        case Severity.WARNING:
            return "warning"
        case Severity.INFO:
            return "info"


def line(*parts: Span | str) -> Line:
    """A line of spans; a plain text is an unstyled span."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def visible(text: str) -> str:
    """The text on one line, with whatever a terminal would obey written as an escape."""
    return _UNSAFE.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    if character in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def cells(text: str) -> int:
    """Columns that the text takes on a terminal."""
    if text.isascii():
        return len(text)
    # imported here: most reports are ASCII
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def fit(text: str, limit: int) -> str:
    """The text cut to `limit` columns, with an ellipsis where something was left out."""
    if cells(text) <= limit:
        return text
    while cells(text) > limit - 1:
        text = text[:-1]
    return text + "…"


def wrap(spans: Iterable[Span], width: int, first: str = "", rest: str = "") -> list[Line]:
    """The spans as lines of at most `width` columns, indented by `first` and then by `rest`.

    Only blanks are break points, so that paths and commands stay in one piece even where they are too long.
    """
    lines: list[Line] = []
    current: list[Span] = [Span(first)] if first else []
    used, started = cells(first), False
    for blank, word in _words(spans):
        size = sum(cells(span.text) for span in word)
        if started and used + 1 + size > width:
            lines.append(tuple(current))
            current, used = [Span(rest)] if rest else [], cells(rest)
        elif started:
            current.append(blank)
            used += 1
        current += word
        used += size
        started = True
    lines.append(tuple(current))
    return lines


def _words(spans: Iterable[Span]) -> Iterator[tuple[Span, list[Span]]]:
    """Each word, which may change its style half-way, with the blank before it."""
    blank, word = Span(" "), list[Span]()
    for span in spans:
        for match in _WORD.finditer(span.text):
            if match[0][0] != " ":
                word.append(Span(match[0].replace(_UNBROKEN, " "), span.style))
            else:
                if word:
                    yield blank, word
                blank, word = Span(" ", span.style), []
    if word:
        yield blank, word


def unbroken(text: str) -> str:
    """The text, to be kept on one line by `wrap`."""
    return text.replace(" ", _UNBROKEN)


def is_command(text: str) -> bool:
    """Whether a line is for a shell, by the program that it starts with."""
    return text.lstrip().startswith(_PROGRAMS)


def copyable(text: str) -> str:
    """The text, kept on one line by `wrap` where it is a command: one that is broken cannot be copied."""
    return unbroken(text) if is_command(text) else text


def plain(lines: Iterable[Line]) -> str:
    """The lines without styles, each ended by a newline."""
    return "".join("".join(span.text for span in one).rstrip() + "\n" for one in lines)


def coloured(lines: Iterable[Line]) -> str:
    """The same lines with ANSI styles."""
    # imported here: only a terminal is worth the time it takes
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    buffer = StringIO()
    console = Console(
        file=buffer,
        force_terminal=True,
        color_system="standard",  # sixteen colours: those that the reader's theme has made readable
        no_color=False,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for one in lines:
        text = Text.assemble(*((span.text, _RICH.get(span.style, "")) for span in one))
        text.rstrip()
        console.print(text, soft_wrap=True)
    return buffer.getvalue()


def count(number: int, noun: str) -> str:
    """`1 rule`, `1,234 rules`; the plural is regular."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
