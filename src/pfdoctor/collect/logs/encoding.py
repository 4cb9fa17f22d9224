"""Bytes of a log as text, piece by piece, in whatever encoding a program or a shell wrote it."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SAMPLE = 65_536
"""Bytes from which the encoding is told."""

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_BINARY = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"PAR1", "a parquet file"),
    (b"SQLite format", "a database"),
)
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\x0b\x0c\x08\x1b\x07")
_TOLERATED = 0.02
_READABLE = 0.7
"""The share of printable letters that makes a text of what holds many control characters."""
_HANDLER = "pfdoctor-latin-1"


class Encoding(NamedTuple):
    """How bytes become text; or why they are none."""

    name: str
    binary: str | None = None


def encoding_of(sample: bytes) -> Encoding:
    """The encoding of a text by its first bytes. PowerShell writes UTF-16, some of its commands without a mark."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return Encoding(name)
    wide = _wide(sample)
    if wide is not None:
        return Encoding(wide)
    for beginning, what in _BINARY:
        if sample.startswith(beginning) and (beginning != b"MZ" or b"\x00" in sample[:200]):
            return Encoding("", what)
    if sample[257:262] == b"ustar":
        return Encoding("", "a tar archive")
    controls = sum(sample.count(bytes([code])) for code in _CONTROLS)
    if controls > _TOLERATED * len(sample) + 1 and _letters(sample) < _READABLE * len(sample):
        return Encoding("", "no text: too many of its bytes are control characters")
    return Encoding("utf-8")


def _letters(sample: bytes) -> int:
    return len(sample) - len(sample.translate(None, bytes(range(32, 127)) + b"\t\n\r"))


def _wide(sample: bytes) -> str | None:
    """UTF-16 and UTF-32 without a mark: nearly every second byte of Western text is zero, and the others are not."""
    half = len(sample) // 2
    if half < 2:
        return None
    quarters = [sample[at::4].count(0) > 0.9 * half / 2 for at in range(4)]
    if quarters == [False, True, True, True]:
        return "utf-32-le"
    if quarters == [True, True, True, False]:
        return "utf-32-be"
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * half and even < 0.05 * half + 1:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half + 1:
        return "utf-16-be"
    return None


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8 as the letters that Windows and old programs mean by them."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_HANDLER, _as_latin_1)


def texts(pieces: Iterable[bytes], name: str) -> Iterator[str]:
    """The pieces decoded; nothing that they may hold is an error."""
    decoder = codecs.getincrementaldecoder(name)(_HANDLER if name.startswith("utf-8") else "replace")
    for piece in pieces:
        # zeros stand where a file has a hole, and between what two programs wrote at once
        yield decoder.decode(piece).replace("\0", " ")
    yield decoder.decode(b"", final=True)
