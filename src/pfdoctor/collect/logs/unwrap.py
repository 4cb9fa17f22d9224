"""Logs inside JSON: `az … get-logs` prints one string, the REST call answers an object, others a list of lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pfdoctor.core.decode.escapes import unescape

_HEAD = 4096
_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_OPENING = re.compile(
    r'\s*(?:\{\s*(?:"[\w$]{1,30}"\s*:\s*(?:\d+|null)\s*,\s*)?"(?:content|log|logs|value)"\s*:\s*)?(?P<list>\[\s*)?"'
)
_PARTIAL = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
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
    yield from _strings(head[opening.end() :], iterator, listed=opening["list"] is not None)


def _opening(head: str) -> re.Match[str] | None:
    opening = _OPENING.match(head)
    if opening is None:
        return None
    body = _STRING.match(head, opening.end())
    end = body.end() if body is not None else opening.end()
    if opening["list"] is not None or head[opening.start() : opening.end()].strip() != '"':
        return opening if "\n" not in head[opening.end() : end] else None
    # a bare string: one line with escaped line ends, and nothing but blanks after it
    string = head[opening.end() : end]
    return opening if "\\n" in string and "\n" not in string and not head[end + 1 :].strip() else None


def _strings(text: str, pieces: Iterator[str], *, listed: bool) -> Iterator[str]:
    """The content of the string that begins the text, and of those that follow it in a list, as lines."""
    inside = True
    while True:
        while text:
            if inside:
                body = _STRING.match(text)
                end = body.end() if body is not None else 0
                closed = text[end : end + 1] == '"'
                part, text = text[:end], text[end:] if not closed else text[end + 1 :]
                partial = _PARTIAL.search(part) if not closed else None
                if partial is not None and (len(part) - len(part.rstrip("\\"))) % 2 == 0 and part.endswith("\\"):
                    partial = None
                if partial is not None:
                    part, text = part[: partial.start()], part[partial.start() :] + text
                yield unescape(part)
                if closed:
                    inside = False
                elif text:
                    break
            else:
                following = _BETWEEN.match(text) if listed else None
                if following is None:
                    if listed and len(text) < _HEAD and not text.lstrip().startswith("]"):
                        break
                    return
                yield "\n"
                text, inside = text[following.end() :], True
        piece = next(pieces, None)
        if piece is None:
            return
        text += piece
