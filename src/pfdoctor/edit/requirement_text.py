"""Write, change or remove one requirement of a requirements file; every other byte stays."""

from __future__ import annotations

import re

from pfdoctor.core.plan.step import RefusedError
from pfdoctor.core.simulation import normalised

_LINE = re.compile(
    r"(?P<lead>\s*)(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<extras>\s*\[[^\]]*\])?"
    r"(?P<specifier>\s*(?:[=<>~!]=?[^;#]*?)?)(?P<rest>\s*(?:;[^#]*)?(?:\s#.*)?)"
)


def write_requirement(text: str, name: str, line: str | None) -> str:
    """The text with `line` as the requirement of the package: changed where it stands, else added at the end.

    Extras, markers and comments of a changed line stay. Without a line the package's lines are removed.
    """
    found = False
    written: list[str] = []
    continued = False
    for old in text.splitlines(keepends=True):
        body = old.rstrip("\r\n")
        within, continued = continued, body.endswith("\\")
        if within or body.lstrip().startswith(("#", "-")) or not is_of(body, name):
            written.append(old)
            continue
        found = True
        if continued:
            raise RefusedError(f"the requirement {name} goes over several lines")
        if line is not None:
            written.append(changed_line(body, line) + old[len(body) :])
    if continued:
        raise RefusedError("its last line ends with a backslash")
    if not found and line is not None:
        return _appended(text, line)
    return "".join(written)


def changed_line(old: str, new: str) -> str:
    """The old requirement with the version of the new one. Raises RefusedError for what pins more than a version."""
    match = _LINE.fullmatch(old)
    if match is None or "--hash" in old:
        raise RefusedError(f"the requirement {old.strip().split()[0]} is pinned by more than a version")
    name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", new)
    if name is None or not re.fullmatch(r"\s*(?:[=<>~!]=?[^;#]*)?", new[name.end() :]):
        return f"{match['lead']}{new}{match['rest']}"
    return f"{match['lead']}{match['name']}{match['extras'] or ''}{new[name.end() :]}{match['rest']}"


def is_of(line: str, name: str) -> bool:
    """Whether the line is a requirement of the package."""
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return match is not None and normalised(match[1].rstrip(".-_")) == normalised(name)


def _appended(text: str, line: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith(("\n", "\r")):
        return f"{text}{newline}{line}"
    return f"{text}{line}{newline}"
