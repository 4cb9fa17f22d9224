"""Logs and pasted messages as facts: read piece by piece, searched once, redacted before anything leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from pfdoctor.collect.logs.encoding import SAMPLE, encoding_of, texts
from pfdoctor.collect.logs.log import NOTHING, Knowledge, facts_of
from pfdoctor.collect.logs.sources import Source, Unreadable, expand, problem
from pfdoctor.core.model import Json
from pfdoctor.core.rule import Symptom

__all__ = ["Knowledge", "Logs", "read", "read_text"]


class Logs(NamedTuple):
    """The facts `logs` of everything that was read, and the inputs that could not be."""

    logs: list[dict[str, Json]]
    problems: list[dict[str, Json]]


def read(sources: Sequence[str], symptoms: Mapping[str, Symptom], known: Knowledge = NOTHING) -> Logs:
    """The logs that `sources` name: files, folders, zip and gzip archives, or `-` for standard input.

    A text that comes twice (the same bytes under two names) is read once. Nothing here raises: what cannot be read
    is a problem.
    """
    found = Logs([], [])
    digests: set[bytes] = set()
    for source in expand(sources):
        if isinstance(source, dict):
            found.problems.append(source)
            continue
        try:
            log, digest = _read(source, symptoms, known)
        except Unreadable as error:
            found.problems.append(problem(source.name, error.code, error.detail))
            continue
        if digest not in digests:
            digests.add(digest)
            found.logs.append(log)
    return found


def read_text(
    text: str, symptoms: Mapping[str, Symptom], *, source: str, known: Knowledge = NOTHING
) -> dict[str, Json]:
    """The facts `logs` of a text that is at hand: what getLogs answered, or a message that somebody pasted."""
    return facts_of(source, (text,), symptoms, known, [len(text.encode(errors="surrogatepass"))])


def _read(source: Source, symptoms: Mapping[str, Symptom], known: Knowledge) -> tuple[dict[str, Json], bytes]:
    digest = hashlib.blake2b(digest_size=16)
    size = [0]
    failed: list[Unreadable] = []

    def readable() -> Iterator[bytes]:
        try:
            yield from source.pieces()
        except Unreadable as error:
            failed.append(error)

    pieces = readable()
    sample = _sample(pieces)
    encoding = encoding_of(sample[:SAMPLE])
    if encoding.binary is not None:
        raise Unreadable("binary", f"{source.name} is {encoding.binary}")

    def counted() -> Iterator[bytes]:
        for piece in chain((sample,), pieces):
            digest.update(piece)
            size[0] += len(piece)
            yield piece

    log = facts_of(source.name, texts(counted(), encoding.name), symptoms, known, size)
    if failed:
        if size[0] == 0:
            raise failed[0]
        # what was read before still counts, and is known not to be all
        log |= {"complete": False, "cut": failed[0].detail}
    return log, digest.digest()


_HOLE = bytes(8)


def _sample(pieces: Iterator[bytes]) -> bytes:
    sample = b""
    for piece in pieces:
        # a log that was cut to nothing while its program wrote on begins with as many zeros as it was long
        sample = (
            (sample + piece).lstrip(b"\0") if piece.startswith(_HOLE) or sample.startswith(_HOLE) else sample + piece
        )
        if len(sample) >= SAMPLE:
            break
    return sample
