"""Text as GitHub's Markdown: whatever a file, a log or a tag says stays text, and summons nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pfdoctor.core.pattern import Pattern
from pfdoctor.report.style import visible

MOST_BYTES = 1024 * 1024
"""What a job summary of GitHub Actions takes a step (GitHub Docs, "Workflow commands": 1 MiB)."""

_ROOM_FOR_NOTE = 512
_MARKUP = Pattern(r"[\\`*\[\]<>|~$&]|(?<![^\W_])_|_(?![^\W_])|\A[-+=#]")
_NUMBERED = Pattern(r"\A(\d{1,9})(?=[.)])")
_RUNS = Pattern(r"`+")
# GitHub looks for these in the finished text, where a backslash no longer shows: a character without width parts them
_SUMMONS = Pattern(r"@(?=\w)|#(?=\d)|(?<=\bGH)-(?=\d)", re.IGNORECASE)
_NO_WIDTH = "\u200b"
_IN_ADDRESS = Pattern(r"https?://[^\s<>()\[\]|`\"'\\]+\Z")


def prose(text: str) -> str:
    """The text on one line, without any meaning as Markdown or HTML; nobody is mentioned by it.

    An address of the web stays one: it leads where it says.
    """
    # marked before the backslashes are added, or they would stand between
    marked = _SUMMONS.sub(lambda match: match[0] + _NO_WIDTH, visible(text).strip(" "))
    escaped = _MARKUP.sub(lambda match: f"\\{match[0]}", marked)
    return _NUMBERED.sub(lambda match: f"{match[0]}\\", escaped)


def code(text: str) -> str:
    """The text on one line as code, whatever backticks it holds; not for a cell of a table."""
    text = visible(text)
    if not text.strip(" "):
        return "` `"
    fence = "`" * (1 + max((len(run[0]) for run in _RUNS.finditer(text)), default=0))
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def code_cell(text: str) -> str:
    """The same for a cell of a table, which every bare pipe ends, in code, too."""
    # a backslash before a pipe cannot be written in the code of a cell
    return prose(text) if "\\|" in text else code(text).replace("|", "\\|")


def link(text: str, address: str) -> str:
    """The text, which links to the address if that is one of the web that Markdown can hold."""
    return f"[{text}]({address})" if _IN_ADDRESS.match(address) else text


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; cells are Markdown already."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


class Block(NamedTuple):
    """A piece of a document that is shown whole or not at all, and how many findings it tells."""

    text: str
    findings: int = 0


def joined(blocks: Iterable[Block], most: int = MOST_BYTES) -> str:
    """The blocks, with an empty line between, as long as there is room; then how much was left out."""
    shown: list[str] = []
    used = left_out = findings = 0
    for block in blocks:
        size = len(block.text.encode()) + 1
        if left_out or used + size > most - _ROOM_FOR_NOTE:
            left_out += 1
            findings += block.findings
            continue
        shown.append(block.text)
        used += size
    if left_out:
        what = f"{findings:,} more findings" if findings != 1 else "1 more finding"
        shown.append(f"*Cut here at {most:,} bytes: {what} are in the JSON report (`--format json`).*\n")
    return "\n".join(shown)
