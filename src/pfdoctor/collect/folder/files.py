"""Reading files: inside one boundary, bounded in size, never failing. What cannot be read comes back as a problem."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NamedTuple

from pfdoctor.core.model import Json, Unknown
from pfdoctor.yaml_document import MAX_BYTES

_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class Problem(NamedTuple):
    """Why a file could not be read as what it is: a code of the facts schema, a detail, and a line if there is one."""

    code: str
    detail: str
    line: int | None = None

    def unknown(self) -> Unknown:
        return Unknown(self.code, self.detail)

    def fact(self, file: str, role: str) -> dict[str, Json]:
        """The problem as an element of `documents`."""
        fact: dict[str, Json] = {"$file": file, "file": file, "role": role, "problem": self.code, "detail": self.detail}
        fact["$at"] = {"": [self.line or 1]}
        return fact


class Text(NamedTuple):
    """A file's text, without a byte order mark; `problem` is set when its consumer could not read it all the same."""

    text: str
    problem: Problem | None = None
    marked: bool = False
    """Whether a UTF-8 byte order mark stood before it, which most readers skip and json.loads refuses."""


class Tree:
    """The files that may be read: everything below `boundary`. Paths in facts are relative to `root`, with slashes."""

    def __init__(self, root: Path, boundary: Path) -> None:
        self.root = root
        self.boundary = boundary
        self._texts: dict[str, Text | Problem] = {}
        self._listings: dict[str, list[str] | None] = {}

    def name(self, path: Path | str) -> str:
        """The path as facts and people see it: relative to the root."""
        relative = os.path.relpath(path, self.root)
        return "." if relative == "." else relative.replace(os.sep, "/")

    def inside(self, path: Path | str) -> bool:
        """Whether the path, symbolic links followed, lies inside the boundary."""
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError):
            # a zero byte, or a name that no file system takes
            return False
        boundary = os.path.realpath(self.boundary)
        return real == boundary or real.startswith(boundary.rstrip(os.sep) + os.sep)

    def read(self, path: Path | str) -> Text | Problem:
        """The text of a file, read once."""
        key = os.path.abspath(path)
        if key not in self._texts:
            self._texts[key] = self._read(key)
        return self._texts[key]

    def _read(self, path: str) -> Text | Problem:
        if not self.inside(path):
            return Problem(
                "outside-boundary", f"{self.name(path)} lies outside {self.name(self.boundary)} and was not read"
            )
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                # a pipe or a device would be read for ever
                return Problem("unreadable", f"{self.name(path)} is no regular file")
            size = status.st_size
            if size > MAX_BYTES:
                return Problem("too-large", f"{size:,} bytes, more than the {MAX_BYTES:,} that are read")
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return Problem("missing", f"{self.name(path)} does not exist")
        except IsADirectoryError:
            return Problem("missing", f"{self.name(path)} is a folder")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return Problem("unreadable", f"{self.name(path)} cannot be read: {reason or error}")
        return decode(data)

    def listing(self, folder: Path | str) -> list[str] | None:
        """The names in a folder, sorted; None when it is none, cannot be listed or lies outside the boundary."""
        key = os.path.abspath(folder)
        if key not in self._listings:
            try:
                self._listings[key] = sorted(os.listdir(key)) if self.inside(key) else None
            except OSError:
                self._listings[key] = None
        return self._listings[key]

    def exists(self, path: Path | str) -> bool:
        """Whether a file or folder of exactly this spelling exists, whatever the file system thinks of case."""
        return self.spelling(path) == os.path.basename(os.path.abspath(path))

    def existence(self, path: Path | str, present: bool) -> Json:
        """The fact whether a path is there: unknown when it was not seen, in a folder that may not be looked into."""
        closed = None if present else _closed_above(path)
        if closed is None:
            return present
        return Unknown("unreadable", f"{self.name(closed)} cannot be listed").to_json()

    def spelling(self, path: Path | str) -> str | None:
        """The name under which the path exists: its own, or one that differs only in case; None when there is none."""
        folder, name = os.path.split(os.path.abspath(path))
        names = self.listing(folder)
        if names is None:
            return name if os.path.exists(path) and self.inside(path) else None
        if name in names:
            return name
        return next((one for one in names if one.lower() == name.lower()), None)


# the folder is there, and the machine keeps what is in it to itself
_CLOSED = (errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)


def _closed_above(path: Path | str) -> str | None:
    """The nearest folder above the path that is there, if it cannot be listed."""
    folder = os.path.dirname(os.path.abspath(path))
    while True:
        try:
            os.scandir(folder).close()
        except OSError as error:
            if error.errno in _CLOSED:
                return folder
        except ValueError:
            return None
        else:
            return None
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def decode(data: bytes) -> Text | Problem:
    """The text of a file's bytes: UTF-8, or whatever its byte order mark says (which is then a problem of its own)."""
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            try:
                return Text(
                    data.decode(encoding).removeprefix("\ufeff"),
                    Problem("encoding", f"is written in {encoding.upper()}, not in UTF-8", 1),
                )
            except UnicodeDecodeError:
                return Problem("binary", "is no text")
    if b"\x00" in data:
        return Problem("binary", "holds zero bytes: it is no text")
    try:
        return Text(data.decode("utf-8-sig"), marked=data.startswith(b"\xef\xbb\xbf"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        detail = f"byte 0x{data[error.start]:02x} in line {line} is not UTF-8"
        return Text(data.decode("latin-1"), Problem("encoding", detail, line))


def find_boundary(path: Path) -> Path:
    """The git root around the path, else the path itself (its folder, for a file)."""
    start = Path(os.path.abspath(path))
    folder = start if os.path.isdir(start) else start.parent
    for candidate in (folder, *folder.parents):
        if os.path.exists(candidate / ".git"):
            return candidate
    return folder
