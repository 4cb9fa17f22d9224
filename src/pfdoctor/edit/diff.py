"""What a plan changes, as a person reads it: unified diffs of the files before and after, without secrets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from pfdoctor.core.redact import redact_text
from pfdoctor.edit.sources import FileSources

_CONTEXT = 3


def diff(before: FileSources, after: FileSources, files: Iterable[str]) -> Iterator[str]:
    """The lines of one diff a file, without line ends. Both texts are redacted first: a secret stays out."""
    for file in files:
        old, new = before.read(file), after.read(file)
        if old == new:
            continue
        yield from difflib.unified_diff(
            _lines(old),
            _lines(new),
            fromfile="/dev/null" if old is None else f"a/{file}",
            tofile="/dev/null" if new is None else f"b/{file}",
            n=_CONTEXT,
            lineterm="",
        )


def _lines(data: bytes | None) -> list[str]:
    """Lines without their ends; a last line that has none says so, as diff does."""
    if not data:
        return []
    text = redact_text(data.decode(errors="replace").removeprefix("\ufeff"))
    lines = [one.rstrip("\r") for one in text.split("\n")]
    if lines[-1]:
        lines[-1] += "\n\\ No newline at end of file"
    else:
        lines.pop()
    return lines
