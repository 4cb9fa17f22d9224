"""Walking a journal back, newest step first: only what pfdoctor itself did, and only where nobody changed it since."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from pfdoctor.apply import files
from pfdoctor.apply.journal import Change, Entry, Journal, JournalError, is_begun, kept_bytes, read, undo_path
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

    def take_back(self, entry: Entry, kept: bytes | None, others: Sequence[str]) -> str | None:
        """Undo it; what stays is returned, in words. `others` are resources of other steps. Raises RefusedError."""


def undo(path: Path, only: int | None = None, azure: TakesBack | None = None) -> Undone:
    """Take back every step of the journal, or one. Raises JournalError where the journal cannot be used."""
    if path.exists() and not is_begun(path):
        # whoever wrote it was killed before the first step
        undo_path(path).unlink(missing_ok=True)
        return Undone((), ())
    record = read(path)
    entries = [one for one in reversed(record.entries) if only is None or one.step == only]
    if only is not None and not entries:
        raise JournalError(f"{path} has no step {only} that could be undone")
    with Journal(path, record.root).opened() as journal:
        undone = undo_entries(journal, record.root, entries, azure)
        if not undone.left and len(undone.steps) == len(record.entries):
            journal.close_undo()
    return undone


def undo_entries(journal: Journal, root: Path, entries: list[Entry], azure: TakesBack | None = None) -> Undone:
    """Take back these steps, in this order."""
    kept = kept_bytes(journal.path)
    beside = [one.resource for one in read(journal.path).entries if one.resource is not None]
    done: list[int] = []
    left: list[tuple[int, str]] = []
    stays: list[tuple[int, str]] = []
    for entry in entries:
        try:
            if entry.resource is None:
                _take_back(root, entry, kept)
            else:
                data, _ = kept.get((entry.step, entry.resource), (None, None))
                stay = _logged_in(azure).take_back(entry, data, beside)
                stays += [(entry.step, stay)] if stay is not None else []
        except (RefusedError, OSError) as error:
            left.append((entry.step, error.strerror or "" if isinstance(error, OSError) else str(error)))
            continue
        journal.write({"event": "undone", "step": entry.step})
        done.append(entry.step)
    return Undone(tuple(done), tuple(left), tuple(stays))


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
