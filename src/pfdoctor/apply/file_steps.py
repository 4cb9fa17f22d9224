"""The steps of a plan that change files: recorded, then written whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pfdoctor.apply import files
from pfdoctor.apply.journal import Change, Entry, Journal
from pfdoctor.core.plan import Step
from pfdoctor.core.plan.step import FileEdit, MovedFile, touched
from pfdoctor.edit.change import changed
from pfdoctor.edit.sources import FileSources, digest_of, inside


def write_files(journal: Journal, root: Path, step: Step, edit: FileEdit, tell: Callable[[Step], None]) -> bool:
    """Do the step; False where its result is there already. Raises RefusedError or OSError where it cannot be done."""
    sources = FileSources(root)
    new = changed(edit, sources.read)
    if not new:
        return False
    tell(step)
    changes = tuple(
        Change(file, sources.digest(file), None if data is None else digest_of(data)) for file, data in new.items()
    )
    moved = edit.to if isinstance(edit, MovedFile) else None
    folders = _missing_folders(root, step)
    journal.begin(
        Entry(step.id, changes, folders, moved, done=False),
        {file: _kept(sources, root, file, moved) for file in new},
    )
    for folder in folders:
        (root / folder).mkdir(exist_ok=True)
    if moved is not None:
        files.move(inside(root, edit.file), inside(root, moved))
    else:
        for file, data in new.items():
            if data is not None:
                path = inside(root, file)
                files.replace(path, data, path.stat().st_mode & 0o7777 if path.exists() else None)
    journal.write({"event": "done", "step": step.id})
    return True


def _kept(sources: FileSources, root: Path, file: str, moved: str | None) -> tuple[bytes | None, int | None]:
    """What the undo needs of a file: nothing of one that is only moved."""
    data = sources.original(file) if moved is None else None
    return data, None if data is None else inside(root, file).stat().st_mode & 0o7777


def _missing_folders(root: Path, step: Step) -> tuple[str, ...]:
    """Folders that the step has to create, the outermost first."""
    missing: list[str] = []
    for file in touched(step.edit):
        folder = Path(file).parent
        while folder.parts and not (root / folder).exists():
            missing.append(folder.as_posix())
            folder = folder.parent
    return tuple(dict.fromkeys(reversed(missing)))
