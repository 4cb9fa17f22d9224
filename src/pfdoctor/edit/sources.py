"""The files of a run as the planner sees them: read, and edited in memory only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pfdoctor.core.plan.step import FileEdit, RefusedError, YamlPath
from pfdoctor.edit.change import changed
from pfdoctor.edit.tree import path_at
from pfdoctor.yaml_document import MAX_BYTES


class FileSources:
    """Files below `root`, named by their path relative to it with slashes; `edited` are those changed in memory."""

    def __init__(self, root: Path, edited: Mapping[str, bytes | None] | None = None) -> None:
        self._root = root
        self.edited = dict(edited or {})

    def read(self, file: str) -> bytes | None:
        """The bytes as edited so far. Raises RefusedError for a path outside the root or what cannot be read."""
        if file in self.edited:
            return self.edited[file]
        return self.original(file)

    def original(self, file: str) -> bytes | None:
        """The bytes on disk."""
        path = inside(self._root, file)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise RefusedError("it is too large")
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RefusedError(f"it cannot be read: {error.strerror}") from error

    def digest(self, file: str) -> str | None:
        data = self.original(file)
        return None if data is None else digest_of(data)

    def path_at(self, file: str, line: int, column: int) -> YamlPath | None:
        data = self.original(file)
        try:
            text = data.decode("utf-8-sig") if data is not None else ""
        except UnicodeDecodeError as error:
            raise RefusedError(f"{file}: it is not written in UTF-8") from error
        return path_at(text, line, column)

    def after(self, edits: Sequence[FileEdit]) -> tuple[FileSources, tuple[bool, ...]]:
        trial = FileSources(self._root, self.edited)
        changes = []
        for edit in edits:
            new = changed(edit, trial.read)
            trial.edited.update(new)
            changes.append(bool(new))
        return trial, tuple(changes)


def digest_of(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def inside(root: Path, file: str) -> Path:
    """The path of a file below the root, symbolic links followed. Raises RefusedError where they lead out of it."""
    real_root = os.path.realpath(root)
    try:
        real = os.path.realpath(root / file)
    except (OSError, ValueError) as error:
        raise RefusedError(f"{file} is no path") from error
    if not real.startswith(real_root.rstrip(os.sep) + os.sep):
        raise RefusedError(f"{file} lies outside {root.name or root}")
    return Path(real)
