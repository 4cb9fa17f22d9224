"""Logs inside JSON: `az … get-logs` prints one string, the REST call answers an object, others a list of lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pfdoctor.core.decode.escapes import unescape

_HEAD = 4096
_WARNINGS = 10
"""Lines before the log itself that are looked at."""
_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_OPENING = re.compile(
    r'\s*(?:\{\s*(?:"[\w$]{1,30}"\s*:\s*(?:\d+|null)\s*,\s*)?"(?:content|log|logs|value)"\s*:\s*)?(?P<list>\[\s*)?"'
)
_UNFINISHED = re.compile(r"(?P<slashes>\\+)(?:u[0-9a-fA-F]{0,3})?\Z")
_BETWEEN = re.compile(r'\s*,\s*"')


def unwrapped(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of the log itself; before them a mark: `json` where there was a wrapping, else empty."""
    iterator = iter(pieces)
    head = ""
    for piece in iterator:
        head += piece
        if len(head) >= _HEAD:
            break
    opening = _opening(head)
    if opening is None:
        yield ""
        yield head
        yield from iterator
        return
    yield "json"
    # az may have warned before
    yield head[: opening.start()]
    yield from _strings(head[opening.end() :], iterator, listed=opening["list"] is not None)


def _opening(head: str) -> re.Match[str] | None:
    """Where a log that is a string of JSON begins: with the text, or with one of its first lines."""
    start = 0
    for _ in range(_WARNINGS):
        opening = _OPENING.match(head, start)
        if opening is not None and _is_log(head, opening):
            return opening
        start = head.find("\n", start) + 1
        if start == 0:
            break
    return None


def _is_log(head: str, opening: re.Match[str]) -> bool:
    body = _STRING.match(head, opening.end())
    end = body.end() if body is not None else opening.end()
    string = head[opening.end() : end]
    if "\n" in string:
        return False
    if opening["list"] is not None:
        return True
    # several lines in one string, and nothing after it: other programs write a line as an object each
    return "\\n" in string and not head[end + 1 :].strip(" \t\r\n}")


def _strings(text: str, pieces: Iterator[str], *, listed: bool) -> Iterator[str]:
    """The content of the string that begins the text, of those that follow it in a list, as lines, and the rest."""
    inside = True
    while True:
        while text:
            if inside:
                body = _STRING.match(text)
                end = body.end() if body is not None else 0
                closed = text[end : end + 1] == '"'
                if closed:
                    yield unescape(text[:end])
                    text, inside = text[end + 1 :], False
                    continue
                end = _finished(text[:end])
                yield unescape(text[:end])
                text = text[end:]
                break
            following = _BETWEEN.match(text) if listed else None
            if following is not None:
                yield "\n"
                text, inside = text[following.end() :], True
            elif listed and not text.strip(" \t\r\n,"):
                break
            else:
                yield from _rest(text, pieces)
                return
        piece = next(pieces, None)
        if piece is None:
            return
        text += piece


def _finished(part: str) -> int:
    """The length of a part of a string without an escape that is cut off at its end."""
    cut = _UNFINISHED.search(part)
    return len(part) if cut is None or len(cut["slashes"]) % 2 == 0 else cut.end("slashes") - 1


def _rest(text: str, pieces: Iterator[str]) -> Iterator[str]:
    """What stands behind the log, if it is more than the brackets that close it."""
    text = text.lstrip(" \t\r\n]}")
    if text:
        yield "\n"
        yield text
    yield from pieces
