"""Writing files: whole or not at all, through symbolic links, with the mode they had."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from pfdoctor.core.plan import RefusedError
from pfdoctor.edit.sources import inside

_NEW_FILE = 0o644


def check_writable(root: Path, file: str) -> None:
    """Raises RefusedError, with the reason, where the file could not be replaced (or, if it is not there, created)."""
    path = inside(root, file)
    folder = path.parent
    if path.exists():
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{file} is no regular file")
        if status.st_nlink > 1:
            raise RefusedError(f"{file} has {status.st_nlink} hard links: replacing it would part them")
        # root may write everything; a file that nobody is meant to write says so in its mode
        if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
            raise RefusedError(f"{file} is read-only")
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not folder.stat().st_mode & 0o222 or not os.access(folder, os.W_OK | os.X_OK):
        raise RefusedError(f"the folder of {file} is read-only")


def temporary_of(path: Path) -> Path:
    """Where the new content is written first: in the same folder, under a name that is found again."""
    return path.with_name(f".{path.name}.pfdoctor")


def replace(path: Path, data: bytes, mode: int | None) -> None:
    """Put the bytes in the file's place at once, so that nobody ever sees a part. `mode` is that of a file that was."""
    temporary = temporary_of(path)
    owner = path.stat() if path.exists() else None
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if owner is not None and hasattr(os, "fchown"):
                # only a privileged user may give a file away; for all others it is theirs already
                with suppress(OSError):
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        temporary.chmod(mode if mode is not None else _NEW_FILE & ~_umask())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move(source: Path, to: Path) -> None:
    """Give a file another name that is free."""
    source.rename(to)
    sync_folder(to.parent)
    sync_folder(source.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
