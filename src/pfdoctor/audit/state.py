"""The state of an audit in a file: a line of JSON for whatever was learnt, so that a cut audit goes on where it was.

The first line says what is audited; then come the inventory, the readings that endpoints share, those of each endpoint
while it is looked at, and the endpoints that are done. Each line is written whole and flushed; one that was cut off is
dropped. What looks like a secret is never written: a reading that holds one is read again instead.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, KeysView
from contextlib import suppress
from pathlib import Path
from typing import IO

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.audit.inventory import Inventory, Problem
from pfdoctor.audit.record import order
from pfdoctor.cloud.reading import Reading
from pfdoctor.cloud.shared import Key, Shared
from pfdoctor.core.model import Json, PfdoctorError, Source, Unknown
from pfdoctor.core.redact import is_clean
from pfdoctor.report.fleet import ENTRY, fault
from pfdoctor.report.json import encode

SCHEMA_NAME = "pfdoctor/audit-state/v1"

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_SHOWN_KEYS = ("InstrumentationKey", "ConnectionString")
_LONG = 100_000
"""Characters of a log that it costs less to read again than to look through for secrets and write."""


_BEGINNING = b'{"kind": "audit"'
_SAID = {"rules": "set of rules (or another version of pfdoctor)", "metrics": "--metrics"}
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What a line raises that somebody edited."""


class StateError(PfdoctorError):
    """The file cannot be written any more: nothing that is read now would be kept."""


class State:
    """One state file. Entries of endpoints stay in the file; only where they are is kept in memory."""

    def __init__(self, path: Path, header: dict[str, Json]) -> None:
        """Opens the file, or makes it. Raises PfdoctorError where it is the state of another audit, or none."""
        self.path = path
        self.inventory: Inventory | None = None
        self.requests = self.throttled = 0
        self.seconds = 0.0
        self.started_at: str = header["started_at"]
        self._entries: dict[str, tuple[tuple[int, int, str], int]] = {}
        self._readings: list[int] = []
        self._kept: set[Key] = set()
        self._own: dict[str, list[int]] = {}
        self._end = 0
        try:
            # role assignments are in it: for nobody else's eyes
            self._file: IO[bytes] = os.fdopen(os.open(path, _FLAGS, 0o600), "r+b")
        except OSError as error:
            raise PfdoctorError(f"cannot open the state file {path}: {error.strerror}") from error
        try:
            self._lock()
            self._load(header)
        except BaseException:
            self._file.close()
            raise

    @property
    def done(self) -> KeysView[str]:
        """The keys of the endpoints that have an entry."""
        return self._entries.keys()

    def set_inventory(self, inventory: Inventory) -> None:
        self.inventory = inventory
        endpoints = [one.to_json() for one in inventory.endpoints]
        problems = [one._asdict() for one in inventory.problems]
        self._append({"kind": "inventory", "endpoints": endpoints, "problems": problems, "listed": inventory.listed})

    def add(self, entry: dict[str, Json]) -> None:
        """Writes the entry of an endpoint, in the place of an earlier one."""
        self._index(entry, self._append({"kind": "endpoint", **entry}))

    def keep(self, key: Key, reading: Reading) -> None:
        """Writes a reading that endpoints share, once."""
        if key not in self._kept and _is_fit(reading):
            self._kept.add(key)
            self._append({"kind": "reading", **_reading_line(key, reading)})

    def keep_own(self, endpoint: str, key: Key, reading: Reading) -> None:
        """Writes a reading of an endpoint (its key) that has no entry yet."""
        if _is_fit(reading):
            self._append({"kind": "own", "endpoint": endpoint, **_reading_line(key, reading)})

    def own(self, endpoint: str) -> dict[Key, Reading]:
        """What an earlier run had read of an endpoint when it was cut; once."""
        return dict(_reading(self._line(offset)) for offset in self._own.pop(endpoint, ()))

    def close_session(self, requests: int, throttled: int, seconds: float) -> None:
        """Writes what a run of the audit has cost."""
        self._append({"kind": "session", "requests": requests, "throttled": throttled, "seconds": seconds})
        self._add(requests, throttled, seconds)

    def _add(self, requests: int, throttled: int, seconds: float) -> None:
        self.requests += requests
        self.throttled += throttled
        self.seconds += seconds

    def fill(self, shared: Shared) -> None:
        """Gives back the readings that were kept."""
        for offset in self._readings:
            shared.put(*_reading(self._line(offset)))

    def entries(self) -> Iterator[dict[str, Json]]:
        """The entries of all endpoints, the worst first; read from the file one by one."""
        for _, offset in sorted(self._entries.values()):
            line = self._line(offset)
            del line["kind"]
            yield line

    def close(self) -> None:
        self._file.close()

    def _lock(self) -> None:
        """Keeps a second audit from writing between our lines. The lock ends with the process, however that ends."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise PfdoctorError(
                f"another audit is at work on {self.path}: wait for it, or name another file"
            ) from error
        except OSError:
            return  # a file system without locks

    def _append(self, line: dict[str, Json]) -> int:
        """Writes the line, past the buffer that is read through; where it begins."""
        offset, data = self._end, f"{encode(line)}\n".encode()
        rest = data
        try:
            while rest:
                rest = rest[os.write(self._file.fileno(), rest) :]
        except OSError as error:
            # what a full disk took of it must not stand before what comes later
            with suppress(OSError):
                os.truncate(self._file.fileno(), offset)
            raise StateError(f"cannot write the state file {self.path}: {error.strerror}") from error
        self._end += len(data)
        return offset

    def _line(self, offset: int) -> dict[str, Json]:
        # this drops the buffer, which does not know of what was written past it since
        self._file.seek(0, os.SEEK_END)
        self._file.seek(offset)
        line: dict[str, Json] = json.loads(self._file.readline())
        return line

    def _index(self, entry: dict[str, Json], offset: int) -> None:
        key = entry["id"].lower()
        self._entries[key] = (order(entry), offset)
        self._own.pop(key, None)

    def _load(self, header: dict[str, Json]) -> None:
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise PfdoctorError(f"{self.path} is no file that can hold the state: give --resume another name")
        first = self._file.readline()
        if not first.endswith(b"\n"):
            if not first.startswith(_BEGINNING[: len(first)]):
                raise PfdoctorError(f"{self.path} is no state file of an audit: give --resume another name")
            self._file.truncate(0)
            self._append({"kind": "audit", "schema": SCHEMA_NAME, **header})
            return
        self._check(first, header)
        end = self._file.tell()
        for number, raw in enumerate(iter(self._file.readline, b""), start=2):
            if not raw.endswith(b"\n"):
                break
            try:
                self._take(json.loads(raw), end)
            except _DAMAGE as error:
                raise self._damaged(number) from error
            end = self._file.tell()
        # a line that was cut off by the end of the audit
        self._file.truncate(end)
        self._end = end

    def _check(self, first: bytes, header: dict[str, Json]) -> None:
        try:
            found = json.loads(first)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("schema") != SCHEMA_NAME:
            raise PfdoctorError(f"{self.path} is no state file of an audit: give --resume another name")
        differing = [name for name, value in header.items() if name != "started_at" and found.get(name) != value]
        if differing:
            said = ", another ".join(_SAID.get(one, one) for one in differing)
            raise PfdoctorError(
                f"{self.path} is the state of an audit with another {said}. "
                "Repeat its command, or give --resume another name"
            )
        if not isinstance(found.get("started_at"), str):
            raise self._damaged(1)
        self.started_at = found["started_at"]

    def _damaged(self, number: int) -> PfdoctorError:
        return PfdoctorError(
            f"{self.path} is damaged: line {number} is none that pfdoctor wrote. Give --resume another name, "
            "or remove the file to begin anew"
        )

    def _take(self, line: dict[str, Json], offset: int) -> None:
        if line["kind"] == "endpoint":
            wrong = fault(line, ENTRY)
            if wrong is not None:
                raise ValueError(wrong)
            self._index(line, offset)
        elif line["kind"] == "reading":
            key, _ = _reading(line)
            self._readings.append(offset)
            self._kept.add(key)
        elif line["kind"] == "own":
            _reading(line)
            self._own.setdefault(line["endpoint"], []).append(offset)
        elif line["kind"] == "inventory":
            endpoints = tuple(Endpoint(**one) for one in line["endpoints"])
            problems = tuple(Problem(**one) for one in line["problems"])
            self.inventory = Inventory(endpoints, problems, line["listed"])
        elif line["kind"] == "session":
            self._add(line["requests"], line["throttled"], line["seconds"])


def _is_fit(reading: Reading) -> bool:
    """Whether a reading may be written: without a secret, and no long log."""
    content = reading.body.get("content") if reading.body is not None else None
    if isinstance(content, str) and len(content) > _LONG:
        return False
    return is_clean(_plain(reading))


def _plain(reading: Reading) -> Json:
    """The value as JSON, without the keys that Application Insights shows to every reader: no fact is made of them."""
    value = reading.value.to_json() if isinstance(reading.value, Unknown) else reading.value
    if not isinstance(value, dict) or str(value.get("type")).lower() != "microsoft.insights/components":
        return value
    properties = value.get("properties")
    if not isinstance(properties, dict):
        return value
    return {**value, "properties": {name: one for name, one in properties.items() if name not in _SHOWN_KEYS}}


def _reading_line(key: Key, reading: Reading) -> dict[str, Json]:
    why = reading.incomplete.to_json() if reading.incomplete is not None else None
    return {"key": list(key), "value": _plain(reading), "source": reading.source._asdict(), "incomplete": why}


def _reading(line: dict[str, Json]) -> tuple[Key, Reading]:
    value, why = line["value"], line["incomplete"]
    if isinstance(value, dict) and "$unknown" in value:
        value = Unknown.from_json(value["$unknown"])
    incomplete = Unknown.from_json(why["$unknown"]) if why else None
    method, url, rest = line["key"]
    return (method, url, rest), Reading(value, Source(**line["source"]), incomplete)
