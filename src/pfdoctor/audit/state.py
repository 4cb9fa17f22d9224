"""The state of an audit in a file: a line of JSON for whatever was learnt, so that a cut audit goes on where it was.

The first line says what is audited; then come the inventory, the readings that endpoints share and the endpoints that
are done. Each line is written whole and flushed; one that was cut off is dropped. What looks like a secret is never
written: a reading that holds one is read again instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.audit.inventory import Inventory, Problem
from pfdoctor.audit.record import order
from pfdoctor.cloud.reading import Reading
from pfdoctor.cloud.shared import Key, Shared
from pfdoctor.core.model import Json, PfdoctorError, Source, Unknown
from pfdoctor.core.redact import redact_value
from pfdoctor.report.json import encode

SCHEMA_NAME = "pfdoctor/audit-state/v1"


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
        try:
            # role assignments are in it: for nobody else's eyes
            self._file: IO[bytes] = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        except OSError as error:
            raise PfdoctorError(f"cannot open the state file {path}: {error.strerror}") from error
        try:
            self._load(header)
        except BaseException:
            self._file.close()
            raise

    @property
    def done(self) -> frozenset[str]:
        """The keys of the endpoints that have an entry."""
        return frozenset(self._entries)

    def set_inventory(self, inventory: Inventory) -> None:
        self.inventory = inventory
        endpoints = [one.to_json() for one in inventory.endpoints]
        problems = [one._asdict() for one in inventory.problems]
        self._append({"kind": "inventory", "endpoints": endpoints, "problems": problems})

    def add(self, entry: dict[str, Json]) -> None:
        """Writes the entry of an endpoint, in the place of an earlier one."""
        self._index(entry, self._append({"kind": "endpoint", **entry}))

    def keep(self, key: Key, reading: Reading) -> None:
        """Writes a reading that endpoints share, once."""
        value = reading.value.to_json() if isinstance(reading.value, Unknown) else reading.value
        if key in self._kept or redact_value(value) != value:
            return
        self._kept.add(key)
        why = reading.incomplete.to_json() if reading.incomplete is not None else None
        self._append(
            {"kind": "reading", "key": list(key), "value": value, "source": reading.source._asdict(), "incomplete": why}
        )

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
            line = self._line(offset)
            value, why = line["value"], line["incomplete"]
            if isinstance(value, dict) and "$unknown" in value:
                value = Unknown.from_json(value["$unknown"])
            incomplete = Unknown.from_json(why["$unknown"]) if why else None
            method, url, rest = line["key"]
            shared.put((method, url, rest), Reading(value, Source(**line["source"]), incomplete))

    def entries(self) -> Iterator[dict[str, Json]]:
        """The entries of all endpoints, the worst first; read from the file one by one."""
        for _, offset in sorted(self._entries.values()):
            line = self._line(offset)
            del line["kind"]
            yield line

    def close(self) -> None:
        self._file.close()

    def _append(self, line: dict[str, Json]) -> int:
        offset = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(encode(line).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise PfdoctorError(f"cannot write the state file {self.path}: {error.strerror}") from error
        return offset

    def _line(self, offset: int) -> dict[str, Json]:
        self._file.seek(offset)
        line: dict[str, Json] = json.loads(self._file.readline())
        return line

    def _index(self, entry: dict[str, Json], offset: int) -> None:
        self._entries[entry["id"].lower()] = (order(entry), offset)

    def _load(self, header: dict[str, Json]) -> None:
        first = self._file.readline()
        if not first.endswith(b"\n"):
            if first and not first.startswith(b'{"kind": "audit"'):
                raise PfdoctorError(f"{self.path} is no state file of an audit: give --resume another name")
            self._file.truncate(0)
            self._append({"kind": "audit", "schema": SCHEMA_NAME, **header})
            return
        self._check(first, header)
        end = self._file.tell()
        for raw in iter(self._file.readline, b""):
            if not raw.endswith(b"\n"):
                break
            self._take(json.loads(raw), end)
            end = self._file.tell()
        # a line that was cut off by the end of the audit
        self._file.truncate(end)

    def _check(self, first: bytes, header: dict[str, Json]) -> None:
        try:
            found = json.loads(first)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("schema") != SCHEMA_NAME:
            raise PfdoctorError(f"{self.path} is no state file of an audit: give --resume another name")
        differing = [name for name, value in header.items() if name != "started_at" and found.get(name) != value]
        if differing:
            raise PfdoctorError(
                f"{self.path} is the state of another audit: its {', '.join(differing)} "
                f"{'is' if len(differing) == 1 else 'are'} different. Repeat its command, or give --resume another name"
            )
        self.started_at = found["started_at"]

    def _take(self, line: dict[str, Json], offset: int) -> None:
        if line["kind"] == "endpoint":
            self._index(line, offset)
        elif line["kind"] == "reading":
            method, url, rest = line["key"]
            self._readings.append(offset)
            self._kept.add((method, url, rest))
        elif line["kind"] == "inventory":
            endpoints = tuple(Endpoint(**one) for one in line["endpoints"])
            self.inventory = Inventory(endpoints, tuple(Problem(**one) for one in line["problems"]))
        elif line["kind"] == "session":
            self._add(line["requests"], line["throttled"], line["seconds"])
