"""What an edit makes of the files it touches, as bytes. Byte order marks, line ends and the last line's end stay."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from pfdoctor.core.plan.step import (
    FileEdit,
    MovedFile,
    NewFile,
    RefusedError,
    RemoveValue,
    RenameEntry,
    SetValue,
    WriteRequirement,
)
from pfdoctor.core.simulation import normalised
from pfdoctor.edit import requirement_text, yaml_text
from pfdoctor.edit.tree import Key
from pfdoctor.yaml_document import Dialect

Read: TypeAlias = Callable[[str], "bytes | None"]
"""The bytes of a file, None when it is not there. Raises RefusedError for one that may not be read."""

_MARK = b"\xef\xbb\xbf"
_FLOW_FILE = re.compile(r"(?:.*/)?flow\.(?:dag|flex)\.ya?ml")


def changed(edit: FileEdit, read: Read) -> dict[str, bytes | None]:
    """The new bytes of the files that the edit changes, None for one that goes; nothing where it changes nothing.

    Raises RefusedError with the file and the reason.
    """
    try:
        return _changed(edit, read)
    except RefusedError as error:
        raise RefusedError(f"{edit.file}: {error}") from error


def _changed(edit: FileEdit, read: Read) -> dict[str, bytes | None]:
    old = read(edit.file)
    match edit:
        case NewFile(file, content):
            if old is not None and old != content.encode():
                raise RefusedError("it is there already, with another content")
            return {} if old is not None else {file: content.encode()}
        case MovedFile(file, to):
            if old is None:
                if read(to) is None:
                    raise RefusedError("it is not there")
                return {}
            if read(to) is not None:
                raise RefusedError(f"{to} is there already")
            return {file: None, to: old}
        case _:
            if old is None:
                raise RefusedError("it is not there")
            new = _in_text(edit, old)
            return {} if new == old else {edit.file: new}


def _in_text(edit: SetValue | RemoveValue | RenameEntry | WriteRequirement, data: bytes) -> bytes:
    mark = _MARK if data.startswith(_MARK) else b""
    try:
        text = data[len(mark) :].decode()
    except UnicodeDecodeError as error:
        raise RefusedError("it is not written in UTF-8") from error
    dialect = Dialect.FLOW if _FLOW_FILE.fullmatch(edit.file) else Dialect.AZURE
    return mark + _new_text(edit, text, dialect).encode()


def _new_text(edit: SetValue | RemoveValue | RenameEntry | WriteRequirement, text: str, dialect: Dialect) -> str:
    match edit:
        case SetValue(_, path, value, _):
            return yaml_text.set_value(text, path, value, dialect)
        case RemoveValue(_, path, _):
            return yaml_text.remove_value(text, path, dialect)
        case RenameEntry(_, path, to):
            return yaml_text.rename_key(text, path, to, dialect)
        case WriteRequirement(file, name, line):
            return _require(text, file, name, line)


def _require(text: str, file: str, name: str, line: str | None) -> str:
    base = file.rpartition("/")[2]
    if base.endswith((".yml", ".yaml")):
        return _require_in_conda(text, name, line)
    if not base.endswith((".txt", ".in", ".pip")):
        raise RefusedError(f"packages that a {base} installs are changed by hand")
    return requirement_text.write_requirement(text, name, line)


def _require_in_conda(text: str, name: str, line: str | None) -> str:
    """The same in the list under `pip` of a conda specification, which may be a file or lie in an environment's."""
    for base in ((), ("conda_file",), ("environment", "conda_file")):
        there, dependencies = yaml_text.value_at(text, (*base, "dependencies"), Dialect.AZURE)
        if there and isinstance(dependencies, list):
            break
    else:
        raise RefusedError("it has no list of dependencies")
    for index, one in enumerate(dependencies):
        if isinstance(one, str) and normalised(re.split(r"[=<>! ]", one, maxsplit=1)[0]) == normalised(name):
            raise RefusedError(f"conda itself installs {name}, not pip")
        if not isinstance(one, dict) or not isinstance(one.get("pip"), list):
            continue
        path: tuple[Key, ...] = (*base, "dependencies", index, "pip")
        for position, old in enumerate(one["pip"]):
            if requirement_text.is_of(str(old), name):
                if line is None:
                    return yaml_text.remove_value(text, (*path, position), Dialect.AZURE)
                new = requirement_text.changed_line(str(old), line)
                return yaml_text.set_value(text, (*path, position), new, Dialect.AZURE)
        if line is None:
            return text
        return yaml_text.set_value(text, (*path, len(one["pip"])), line, Dialect.AZURE)
    raise RefusedError("it has no list of packages for pip")
