"""What mails, web pages and consoles do to a text before it is pasted, taken back. The number of lines stays.

A block of lines that a console broke at its width becomes one line, with as many empty ones behind it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from pfdoctor.core.decode.lines import clean

_LONGEST = 65_536
"""Letters of a text that somebody pasted: prefixes and widths are only looked for in one that is no longer."""
_ENTITY = re.compile(r"&(?:#(?:39|34|47|x27|x22|x2[fF])|quot|apos|amp|lt|gt|nbsp);")
_BORDER = re.compile(r"[\s─━═╭╮╰╯┌┐└┘├┤╔╗╚╝+-]*")
_MARK = re.compile(r"[ \t]?(?:>|\||│|┃|║)(?: |$)")
_NAMED = re.compile(r"[^|\n]{1,120} \| ")
_MARK_END = re.compile(r"[ \t]*[│┃║|][ \t]*$")
_WIDTHS = frozenset((79, 80, 100, 119, 120, 132, 160, 200))
"""How wide consoles are: 80 and 120 letters in PowerShell, where the last one may stay free."""
_BEGINS = re.compile(
    r"\s|\[|\d{4}-\d\d|\d\d:\d\d|Traceback|At line:|\+ |(?:ERROR|WARNING|INFO|DEBUG|CRITICAL|Collecting|Downloading)\b"
    r"|[\w.]+(?:Error|Exception):"
)
"""What stands at the beginning of a line of its own."""
_POWERSHELL = re.compile(r"At (?:line:\d+|\S.*:\d+) char:\d+")
_LONG_WORD = 30
_NARROWEST = 60
_ENDS = ".,;:)]}'\""
"""With what a line ends that is whole, if it is the only one as long as a console is wide."""


def as_printed(piece: str, *, whole: bool) -> str:
    """A part of a text as the program printed it; `whole` where there is no more of the text."""
    if "\u00a0" in piece:
        piece = piece.replace("\u00a0", " ")
    if "&" in piece and ";" in piece:
        piece = _ENTITY.sub(lambda match: html.unescape(match[0]).replace("\u00a0", " "), piece)
    if not whole or len(piece) > _LONGEST:
        return piece
    lines = piece.replace("\r\n", "\n").split("\n")
    quoted = _without_marks(lines)
    return "\n".join(_joined(quoted or lines, quoted=quoted is not None))


def _without_marks(lines: list[str]) -> list[str] | None:
    """The lines without what begins each of them: the mark of a quotation, of a box, of a container's name."""
    found: list[str] | None = None
    for _ in range(3):
        bare = [line for line in lines if not _BORDER.fullmatch(line)]
        if bare and all(map(_MARK.match, bare)):
            lines = found = [_bare(line) for line in lines]
            continue
        name = _NAMED.match(bare[0]) if len(bare) > 1 else None
        if name is None or not all(line.startswith(name[0]) for line in bare):
            break
        lines = found = [line[name.end() :] for line in lines]
    return found


def _bare(line: str) -> str:
    return "" if _BORDER.fullmatch(line) else _MARK_END.sub("", _MARK.sub("", line, count=1))


def _joined(lines: list[str], *, quoted: bool) -> Iterator[str]:
    """The lines, where a console broke one at its width as one again."""
    bare = clean("\n".join(lines)).split("\n")
    width = max(map(len, bare))
    often = sum(len(line) == width for line in bare) > 1
    breaks = {
        at
        for at in range(len(bare) - 1)
        if len(bare[at]) == width
        and bare[at + 1]
        and _is_broken(bare[at], bare[at + 1], width, quoted=quoted, often=often)
    }
    breaks |= _powershell(bare)
    full = [len(line) for line in bare if line]
    if quoted and len(full) > 2 and {*full[:-1]} == {width} and width >= _NARROWEST:
        breaks.update(at for at in range(len(bare) - 1) if len(bare[at]) == width and bare[at + 1])
    at = 0
    while at < len(lines):
        end = at
        while end in breaks:
            end += 1
        yield lines[at] + "".join(bare[at + 1 : end + 1])
        yield from [""] * (end - at)
        at = end + 1


def _is_broken(line: str, following: str, width: int, *, quoted: bool, often: bool) -> bool:
    if _BEGINS.match(following):
        return False
    if width in _WIDTHS and (often or line[-1] not in _ENDS):
        return True
    words = line.split()
    # what wraps at words breaks those that are longer than a line
    return quoted and width >= _NARROWEST and len(words[-1]) >= _LONG_WORD and line[-1] not in _ENDS


def _powershell(lines: list[str]) -> set[int]:
    """The breaks in what PowerShell says of a program that failed: all before `At line:1 char:1` but a last line."""
    breaks: set[int] = set()
    for end, line in enumerate(lines):
        if _POWERSHELL.match(line) is None:
            continue
        last = end - 1
        first = last - 1
        while first > 0 and len(lines[first]) == len(lines[last - 1]):
            first -= 1
        if last - first >= 2 and first >= 0 and len(lines[last - 1]) >= len(lines[last]) > 0:
            # the first line has the name of the program before it
            breaks.update(range(first, last))
    return breaks
