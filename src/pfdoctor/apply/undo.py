"""Walking a journal back, newest step first: only what pfdoctor itself did, and only where nobody changed it since."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from pfdoctor.apply import files
from pfdoctor.apply.journal import Change, Entry, Journal, JournalError, Record, is_begun, kept_bytes, read, undo_path
from pfdoctor.core.model import PfdoctorError
from pfdoctor.core.plan import RefusedError
from pfdoctor.edit.sources import FileSources, digest_of, inside


class Undone(NamedTuple):
    """The steps that were taken back, and those that were left, each with the reason.

    `stays` is what was declared irreversible before it was done.
    """

    steps: tuple[int, ...]
    left: tuple[tuple[int, str], ...]
    stays: tuple[tuple[int, str], ...] = ()


class TakesBack(Protocol):
    """What undoes a step of Azure."""

    def log_in(self) -> None:
        """Raises AuthenticationError where nobody is logged in."""

    def take_back(self, entry: Entry, kept: bytes | None, others: Mapping[str, int | None]) -> str | None:
        """Undo it; what stays is returned, in words. Raises RefusedError.

        `others` are the resources of the journal's other steps, each with the number of its step if that is not undone.
        """


def undo(path: Path, only: int | None = None, azure: TakesBack | None = None) -> Undone:
    """Take back every step of the journal, or one. Raises JournalError where the journal cannot be used."""
    if path.exists() and not is_begun(path):
        # whoever wrote it was killed before the first step
        undo_path(path).unlink(missing_ok=True)
        return Undone((), ())
    where = read(path).root
    with Journal(path, where).opened() as journal:
        # read again: nobody else writes now
        record = read(path)
        entries = [one for one in reversed(record.entries) if only is None or one.step == only]
        if only is not None and not entries:
            raise JournalError(f"{path} has no step {only} that could be undone{_those(record)}")
        _check_place(path, record, entries)
        if azure is not None and any(one.resource is not None for one in entries):
            azure.log_in()
        return undo_entries(journal, record.root, entries, azure)


def _those(record: Record) -> str:
    numbers = ", ".join(str(one.step) for one in record.entries)
    return f": there {'are' if len(record.entries) > 1 else 'is'} {numbers}" if numbers else ": all are undone"


def _check_place(path: Path, record: Record, entries: list[Entry]) -> None:
    """Raises JournalError where the files of the journal, or their former bytes, cannot be here."""
    said = f" (it was written on {record.machine})" if record.machine not in ("", platform.node()) else ""
    if not record.root.is_dir() and any(one.resource is None for one in entries):
        raise JournalError(
            f"{path} is for files in {record.root}, which is not here{said}: undo it where the plan was applied"
        )
    if entries and not undo_path(path).exists():
        raise JournalError(
            f"{undo_path(path)} is missing, which holds what is to be written back{said}: copy it here from beside "
            "the journal that apply wrote"
        )


def undo_entries(journal: Journal, root: Path, entries: list[Entry], azure: TakesBack | None = None) -> Undone:
    """Take back these steps, in this order; once nothing is left to be undone, what that needed is removed."""
    kept = kept_bytes(journal.path)
    before = read(journal.path)
    done: list[int] = []
    left: list[tuple[int, str]] = []
    stays: list[tuple[int, str]] = []
    for entry in entries:
        try:
            if entry.resource is None:
                _take_back(root, entry, kept)
            else:
                data, _ = kept.get((entry.step, entry.resource), (None, None))
                others: dict[str, int | None] = dict.fromkeys(before.resources)
                others |= {one.resource: one.step for one in before.entries if one.resource and one.step not in done}
                stay = _logged_in(azure).take_back(entry, data, others)
                stays += [(entry.step, stay)] if stay is not None else []
            journal.write({"event": "undone", "step": entry.step})
        except (RefusedError, PfdoctorError, OSError) as error:
            left.append((entry.step, reason_of(error)))
            continue
        done.append(entry.step)
    if not read(journal.path).entries:
        journal.close_undo()
    return Undone(tuple(done), tuple(left), tuple(stays))


def reason_of(error: Exception) -> str:
    """Why something could not be done, in words."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _logged_in(azure: TakesBack | None) -> TakesBack:
    if azure is None:
        raise RefusedError("it is a step of Azure, and nobody is logged in")
    return azure


def _take_back(root: Path, entry: Entry, kept: dict[tuple[int, str], tuple[bytes | None, int | None]]) -> None:
    sources = FileSources(root)
    now = {change.file: sources.digest(change.file) for change in entry.changes}
    for change in entry.changes:
        files.temporary_of(inside(root, change.file)).unlink(missing_ok=True)
        if now[change.file] not in (change.before, change.after):
            raise RefusedError(f"{change.file} was changed since, by a later step or by somebody else")
    if entry.moved is not None:
        _move_back(root, entry, now)
    else:
        for change in entry.changes:
            if now[change.file] != change.before:
                _restore(root, change, kept.get((entry.step, change.file), (None, None)))
    for folder in reversed(entry.folders):
        with suppress(OSError):
            # created for the step; whoever put something there since keeps it
            (root / folder).rmdir()


def _move_back(root: Path, entry: Entry, now: dict[str, str | None]) -> None:
    source = entry.changes[0].file
    to = entry.moved or source
    if now[source] is None and now[to] is not None:
        files.move(inside(root, to), inside(root, source))


def _restore(root: Path, change: Change, kept: tuple[bytes | None, int | None]) -> None:
    path = inside(root, change.file)
    if change.before is None:
        path.unlink()
        files.sync_folder(path.parent)
        return
    data, mode = kept
    if data is None or digest_of(data) != change.before:
        raise RefusedError(f"the bytes that {change.file} had are not beside the journal any more")
    files.check_writable(root, change.file)
    files.replace(path, data, mode)
