"""Where logs lie: files, folders, zip and gzip archives, standard input. One is open at a time; none is extracted."""

from __future__ import annotations

import os
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from pfdoctor.core.model import Json

_PIECE = 262_144
_GZIP = 31
"""What zlib calls gzip, with its largest window."""
_MOST_FILES = 2000
_SKIPPED = frozenset((".git", "node_modules", "__pycache__", ".venv", "venv"))
_GENEROUS = 64 << 20
_RATIO = 250
"""A log is compressed twenty to a hundred times; what unpacks to more than this, and to more than 64 MiB, is a trap."""


class Unreadable(Exception):  # noqa: N818  # carries a problem, and is always caught here or by the reader
    """Why a source cannot be read: a code and a detail."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Source(NamedTuple):
    """One text: its name, and how to get its bytes in pieces. Reading raises `Unreadable`."""

    name: str
    pieces: Callable[[], Iterator[bytes]]


def problem(path: str, code: str, detail: str) -> dict[str, Json]:
    """An input that could not be examined, as reports list it."""
    return {"path": path, "problem": code, "detail": detail}


def expand(names: Sequence[str]) -> Iterator[Source | dict[str, Json]]:
    """Every text that the names stand for, and the problem of each that stands for none."""
    for name in dict.fromkeys(names):
        if name == "-":
            yield Source("-", _stdin)
            continue
        try:
            mode = Path(name).stat().st_mode
        except FileNotFoundError:
            yield problem(name, "missing", f"{name} does not exist")
            continue
        except (OSError, ValueError) as error:
            yield problem(name, "unreadable", f"{name} cannot be read: {_why(error)}")
            continue
        if stat.S_ISDIR(mode):
            yield from _folder(name)
        elif stat.S_ISREG(mode):
            yield from _file(Path(name), name)
        else:
            # a pipe or a device gives its bytes once: nothing may look at it before it is read
            yield Source(name, partial(_plain, Path(name)))


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _stdin() -> Iterator[bytes]:
    yield from _read(sys.stdin.buffer)


def _folder(name: str) -> Iterator[Source | dict[str, Json]]:
    count = 0
    for folder, folders, files in os.walk(name):
        folders[:] = sorted(one for one in folders if one not in _SKIPPED)
        for file in sorted(files):
            count += 1
            if count > _MOST_FILES:
                yield problem(name, "too-large", f"{name} holds more than {_MOST_FILES:,} files; the rest was not read")
                return
            path = Path(folder) / file
            if path.is_file():
                yield from _file(path, path.as_posix())
    if not count:
        yield problem(name, "empty", f"{name} holds no file")


def _file(path: Path, name: str) -> Iterator[Source | dict[str, Json]]:
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except (OSError, ValueError) as error:
        yield problem(name, "unreadable", f"{name} cannot be read: {_why(error)}")
        return
    if head.startswith(b"PK\x03\x04"):
        yield from _zip(path, name)
    elif head.startswith(b"\x1f\x8b"):
        yield Source(name, lambda: _unpacked(path))
    else:
        yield Source(name, lambda: _plain(path))


def _plain(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from _read(file)
    except OSError as error:
        raise Unreadable("unreadable", f"{path} cannot be read: {_why(error)}") from error


def _unpacked(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as packed:
            yield from _bounded(_inflated(packed), packed.tell, path.name)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable("unreadable", f"{path} is no whole gzip file: {_why(error)}") from error


def _inflated(packed: _Readable) -> Iterator[bytes]:
    """What gzip packed, as far as it is there. Raises EOFError where its end is missing, but gives all before it."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    fresh = True
    while data := packed.read(_PIECE):
        while data:
            fresh = False
            yield unpacker.decompress(data, _PIECE)
            data = unpacker.unconsumed_tail
            if unpacker.eof:  # what follows is another gzip file, or padding
                data = unpacker.unused_data.lstrip(b"\0")
                unpacker = zlib.decompressobj(wbits=_GZIP)
                fresh = True
    if not fresh:
        yield unpacker.flush()
    if not fresh and not unpacker.eof:
        raise EOFError("its end is missing")


def _zip(path: Path, name: str) -> Iterator[Source | dict[str, Json]]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        yield problem(name, "unreadable", f"{name} is no whole zip archive: {_why(error)}")
        return
    with archive:  # open while its members are read, for each look at its directory costs as much as that is long
        members = [one for one in archive.infolist() if not one.is_dir()]
        if len(members) > _MOST_FILES:
            yield problem(name, "too-large", f"{name} holds {len(members):,} files; the first {_MOST_FILES:,} are read")
        jobs = {match[1] for one in members if (match := _JOB.fullmatch(one.filename))}
        for member in sorted(members[:_MOST_FILES], key=lambda one: one.filename):
            inside = f"{name}!{member.filename}"
            if member.filename.partition("/")[0] in jobs and "/" in member.filename:
                continue  # GitHub packs the log of each step beside that of the whole job
            if member.flag_bits & 1:
                yield problem(inside, "unreadable", f"{inside} is encrypted")
            else:
                yield Source(inside, partial(_member, archive, member))


_JOB = re.compile(r"\d+_([^/]+)\.txt")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(member) as file:
            pieces = _inflated(file) if member.filename.endswith(".gz") else _read(file)
            yield from _bounded(pieces, lambda: member.compress_size, member.filename)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise Unreadable("unreadable", f"{member.filename} cannot be unpacked: {_why(error)}") from error


def _bounded(pieces: Iterable[bytes], packed: Callable[[], int], name: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > _GENEROUS and size > _RATIO * packed():
            raise Unreadable("too-large", f"{name} unpacks to more than {_RATIO} times its size; the rest was not read")
        yield piece


def _read(file: _Readable) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
