"""The journal: what was done, written before it is done. It holds hashes; the bytes for the undo lie beside it.

`NAME` is JSON lines, one an event: `open` (of which plan, for which folder, by which version, on which machine), then
for every step `begin` (flushed before anything changes), `done`, and perhaps `undone`; `verified` for a fix.
`NAME.undo`, readable by its owner alone, holds the bytes that the files had.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import pfdoctor
from pfdoctor.apply.files import sync_folder
from pfdoctor.core.model import Json, PfdoctorError

_FAMILY = "pfdoctor/journal/"
SCHEMA_NAME = f"{_FAMILY}v1"


class JournalError(PfdoctorError):
    """A journal that cannot be read, written or used."""

    exit_code = 7


class Change(NamedTuple):
    """What a step does to one file: the hashes before and after, None where it is not there."""

    file: str
    before: str | None
    after: str | None


class Entry(NamedTuple):
    """A step that was begun. `folders` were created for it; `moved` names where its only file goes.

    A step of Azure names its `resource`, whose id and content stand for the file and its bytes; `created` says whether
    it was pfdoctor that brought it into being.
    """

    step: int
    changes: tuple[Change, ...]
    folders: tuple[str, ...]
    moved: str | None
    done: bool
    resource: str | None = None
    created: bool = False
    irreversible: bool = False
    """Whether the plan said so."""


class Record(NamedTuple):
    """What a journal says now: the root, and the steps that were begun and not undone, oldest first.

    `plan` names the plan whose steps they are: numbers of steps mean nothing without it.
    """

    root: Path
    entries: tuple[Entry, ...]
    verified: frozenset[str]
    plan: str = ""
    machine: str = ""
    resources: tuple[str, ...] = ()
    """Every resource that a step was begun for, undone since or not."""


class Journal:
    """A journal open for writing. Only one process may have it open."""

    def __init__(self, path: Path, root: Path, plan: str = "") -> None:
        self.path = path
        self._root = root
        self._plan = plan
        self._file: FileIO | None = None

    @contextmanager
    def opened(self) -> Iterator[Journal]:
        """Open it for writing, alone."""
        try:
            self._file = open_private(self.path)
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror}") from error
        with self._file:
            _lock(self._file, self.path)
            yield self

    def begin(self, entry: Entry, kept: dict[str, tuple[bytes | None, int | None]]) -> None:
        """Record a step before it is done; `kept` are the bytes and the mode of each file that the undo needs."""
        beside = undo_path(self.path)
        try:
            with open_private(beside) as file:
                for name, (data, mode) in kept.items():
                    body = None if data is None else base64.b64encode(data).decode()
                    _append(file, {"step": entry.step, "file": name, "content": body, "mode": mode})
        except OSError as error:
            raise JournalError(f"cannot write {beside}: {error.strerror}") from error
        self.write(
            {
                "event": "begin",
                "step": entry.step,
                "files": {one.file: {"before": one.before, "after": one.after} for one in entry.changes},
                "folders": list(entry.folders),
                "moved": entry.moved,
                "resource": entry.resource,
                "irreversible": entry.irreversible,
            }
        )

    def write(self, event: dict[str, Json]) -> None:
        """Append an event and flush it to disk. Raises JournalError, and then the event is not in the journal."""
        if self._file is None:
            raise JournalError("the journal is not open")
        try:
            if not self._file.tell():
                _append(self._file, self._opening())
            _append(self._file, event)
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror}") from error

    def start(self) -> None:
        """Say whose steps follow. Nothing of what was recorded before may be left to be undone."""
        if self._file is not None and self._file.tell():
            self.write(self._opening())

    def _opening(self) -> dict[str, Json]:
        return {
            "event": "open",
            "schema": SCHEMA_NAME,
            "root": os.path.relpath(self._root, self.path.parent).replace(os.sep, "/"),
            "plan": self._plan,
            "version": pfdoctor.__version__,
            "machine": platform.node(),
        }

    def close_undo(self) -> None:
        """Remove the bytes: nothing is left to be undone."""
        undo_path(self.path).unlink(missing_ok=True)


def undo_path(journal: Path) -> Path:
    """Where the bytes lie."""
    return journal.with_name(journal.name + ".undo")


def open_private(path: Path) -> FileIO:
    """A file to append to that its owner alone may read; a last line that a killed writer left open is cut off."""
    file = FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    if not file.tell():
        # a power failure must not take the name of a file whose bytes were flushed
        sync_folder(path.parent)
    whole = path.read_bytes().rfind(b"\n") + 1
    if whole < file.tell():
        file.truncate(whole)
        file.seek(whole)
    return file


def undoing(path: Path) -> str:
    """The command that takes back what the journal holds, to be pasted into a shell."""
    return shlex.join(["pfdoctor", "undo", str(path)])


def is_begun(path: Path) -> bool:
    """Whether a first event was written; nothing was changed before that."""
    text = _bytes(path) if path.exists() else b""
    return b"\n" in text or not _FIRST.startswith(text[: len(_FIRST)])


def free_journal(path: Path, plan: str) -> Path:
    """Where to record this plan: `path`, or that with a number while it holds steps of another plan, not undone.

    Numbers of steps mean nothing without their plan, so a journal is of one plan at a time.
    """
    number, candidate = 1, path
    while is_begun(candidate) and (record := read(candidate)).entries and record.plan != plan:
        number += 1
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return candidate


_FIRST = b'{"event": "open", "schema": '


def read(path: Path) -> Record:
    """What the journal says. A last line that was cut off, by whatever killed its writer, does not count."""
    try:
        return _record(path)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise JournalError(f"{path} does not have the shape of a journal ({type(error).__name__}: {error})") from error


def _record(path: Path) -> Record:
    root: Path | None = None
    plan = machine = ""
    resources: dict[str, None] = {}
    entries: dict[int, Entry] = {}
    verified: dict[str, list[int]] = {}
    for event in _events(path):
        kind = event.get("event")
        if kind == "open":
            root = Path(os.path.normpath(path.absolute().parent / event["root"]))
            verified = {}
            plan, machine = str(event.get("plan", "")), str(event.get("machine", ""))
        elif kind == "begin":
            changes = tuple(Change(file, one["before"], one["after"]) for file, one in event["files"].items())
            entries.pop(event["step"], None)
            moved, resource = event["moved"], event.get("resource")
            if resource is not None:
                resources[resource] = None
            entries[event["step"]] = Entry(
                event["step"],
                changes,
                tuple(event["folders"]),
                moved,
                done=False,
                resource=resource,
                irreversible=bool(event.get("irreversible")),
            )
        elif kind == "done":
            entries[event["step"]] = _done(entries[event["step"]], event)
        elif kind in ("undone", "refused"):
            entries.pop(event["step"], None)
            # a fix that lost a step holds no longer
            verified = {fix: steps for fix, steps in verified.items() if event["step"] not in steps}
        elif kind == "verified":
            verified[event["fingerprint"]] = event["steps"]
    if root is None:
        raise JournalError(f"{path} is no journal ({SCHEMA_NAME}) of `pfdoctor apply`")
    return Record(root, tuple(entries.values()), frozenset(verified), plan, machine, tuple(resources))


def _done(entry: Entry, event: dict[str, Json]) -> Entry:
    """The entry with what the step really left, which a service may write in another way than it was asked to."""
    after = event.get("after") or {}
    changes = tuple(one._replace(after=after.get(one.file, one.after)) for one in entry.changes)
    return entry._replace(done=True, changes=changes, created=bool(event.get("created")))


def kept_bytes(path: Path) -> dict[tuple[int, str], tuple[bytes | None, int | None]]:
    """The bytes and mode that each file had before each step; the newest record of a step counts."""
    kept = {}
    beside = undo_path(path)
    try:
        for one in _lines(beside) if beside.exists() else ():
            data = None if one["content"] is None else base64.b64decode(one["content"], validate=True)
            kept[one["step"], one["file"]] = (data, one["mode"])
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{beside} is damaged ({type(error).__name__}), so nothing can be written back") from error
    return kept


def _events(path: Path) -> list[dict[str, Json]]:
    events = _lines(path)
    schema = events[0].get("schema") if events else SCHEMA_NAME
    if isinstance(schema, str) and schema.startswith(_FAMILY) and schema != SCHEMA_NAME:
        by = events[0].get("version") or "another version"
        raise JournalError(
            f"{path} was written by pfdoctor {by} ({schema}), and this one reads {SCHEMA_NAME}: use the one that wrote "
            "it"
        )
    if schema != SCHEMA_NAME:
        raise JournalError(f"{path} is no journal ({SCHEMA_NAME}) of `pfdoctor apply`")
    return events


def _lines(path: Path) -> list[dict[str, Json]]:
    """Every whole line; what follows the last line's end was never flushed."""
    found = []
    for number, line in enumerate(_bytes(path).split(b"\n")[:-1], start=1):
        try:
            body = json.loads(line) if line else None
        except (ValueError, RecursionError) as error:
            raise JournalError(f"{path}:{number} is no JSON: the file was damaged after it was written") from error
        if isinstance(body, dict):
            found.append(body)
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror}") from error


def _append(file: FileIO, body: dict[str, Json]) -> None:
    """One line, flushed to disk, or nothing at all."""
    before = file.tell()
    rest = json.dumps(body, ensure_ascii=False).encode() + b"\n"
    try:
        while rest:
            rest = rest[file.write(rest) or 0 :]
        os.fsync(file.fileno())
    except OSError:
        # a disk that is full takes a part of a line: what comes later must not follow it
        with suppress(OSError):
            file.truncate(before)
            file.seek(before)
        raise


def _lock(file: FileIO, path: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise JournalError(f"another pfdoctor is writing {path}") from error
