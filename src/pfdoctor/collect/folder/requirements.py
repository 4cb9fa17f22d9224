"""What pip and conda would install: requirements files, pyproject.toml and conda specifications, line by line.

Lines are split as pip splits them. `packaging` decides what a valid requirement is; the plain lines that make up
most files are taken by an expression that accepts only what packaging accepts, because importing it costs 20 ms.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import YamlDocument

Place = tuple[int, int, int]
"""Line, column and exclusive end column, 1-based."""


class Include(NamedTuple):
    """Another file that a line names with -r; the path is as written, relative to the file that names it."""

    path: str
    place: Place


class RequirementsFile:
    """`entries` and `options` are facts (`requirement`, `option`) with their places; `constraints` are the files named
    with -c, which install nothing. `unread` says why the entries are not all there, if they are not."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Json]] = []
        self.options: list[dict[str, Json]] = []
        self.includes: list[Include] = []
        self.constraints: list[Include] = []
        self.unread: Unknown | None = None

    def size(self) -> int:
        return len(self.entries) + len(self.options) + len(self.includes) + len(self.constraints)


MAX_ENTRIES = 5_000
"""Of one file; no service installs so many packages."""


def too_many(file: str) -> Unknown:
    """Why the entries behind the first are not there."""
    return Unknown("too-large", f"{file} names more than {MAX_ENTRIES:,} packages and options: the rest is not read")


def read_requirements(text: str, file: str, installed_by: str = "requirements") -> RequirementsFile:
    """The lines of a requirements file. Never raises; a line that pip refuses is an entry with `problem` invalid."""
    gatherer = _Gatherer(file, installed_by)
    for line, place in _lines(text.removeprefix("\ufeff")):
        if gatherer.is_full():
            break
        gatherer.line(line, place)
    return gatherer.result


def read_requirement_words(words: Iterable[str], place: Place, file: str, installed_by: str) -> RequirementsFile:
    """The arguments of one `pip install`, already split and unquoted, as if they were lines of a file.

    Words that no requirement looks like (redirections, substitutions of the shell) are left out.
    """
    gatherer = _Gatherer(file, installed_by)
    pending: str | None = None
    for word in words:
        if gatherer.is_full():
            break
        if pending is not None:
            gatherer.option(f"{pending} {word}", place, strict=False)
            pending = None
        elif word in _TAKES_VALUE:
            pending = word
        elif word.startswith("-"):
            gatherer.option(word, place, strict=False)
        else:
            gatherer.add(word, word, place)
    result = gatherer.result
    result.entries = [entry for entry in result.entries if entry["problem"] is None]
    return result


def read_pyproject(text: str, file: str) -> RequirementsFile:
    """[project] dependencies and [tool.poetry.dependencies]. Needs tomllib (3.11+) or tomli; without, `unread` is set.

    Places are those of the first line that holds the dependency's text.
    """
    gatherer = _Gatherer(file, "pyproject")
    result = gatherer.result
    document = _toml(text, result)
    project = document.get("project")
    dependencies = project.get("dependencies") if isinstance(project, dict) else None
    for one in dependencies if isinstance(dependencies, list) else ():
        if isinstance(one, str):
            gatherer.add(one, one, _find(text, one))
    if isinstance(project, dict) and "dependencies" in (project.get("dynamic") or ()):
        result.unread = Unknown("dynamic", f"{file} leaves its dependencies to its build")
    poetry = _table(_table(_table(document, "tool"), "poetry"), "dependencies")
    for name, wanted in poetry.items():
        if name != "python" and not (isinstance(wanted, dict) and wanted.get("optional") is True):
            result.entries.append(_poetry(name, wanted, _find(text, name), file))
    return result


def read_conda(document: YamlDocument, file: str) -> RequirementsFile:
    """The dependencies of a conda specification: conda's own (python and pip left out) and the list under `pip`."""
    gatherer = _Gatherer(file, "conda")
    value = document.value
    dependencies = value.get("dependencies") if isinstance(value, dict) else None
    for index, one in enumerate(dependencies if isinstance(dependencies, list) else ()):
        if isinstance(one, str):
            gatherer.conda(one, document.place("dependencies", index) or (1, 1, 1))
        elif isinstance(one, dict):
            lines = one.get("pip")
            for position, line in enumerate(lines if isinstance(lines, list) else ()):
                place = document.place("dependencies", index, "pip", position) or (1, 1, 1)
                for part, _ in _lines(str(line)):
                    gatherer.line(part, place)
    return gatherer.result


# ------------------------------------------------------------------------------------------------ lines, as pip reads

_COMMENT = Pattern(r"(^|\s+)#.*$")


def _lines(text: str) -> Iterator[tuple[str, Place]]:
    """Logical lines without comments. A backslash joins a line to the next, except at the end of a comment."""
    pending: list[str] = []
    start = 1
    for number, line in enumerate(text.splitlines(), 1):
        commented = line.lstrip().startswith("#")
        if not pending:
            start = number
        if line.endswith("\\") and not commented:
            pending.append(line[:-1])
            continue
        # a comment ends a continued line; the space keeps it apart from what it follows
        pending.append(f" {line}" if commented else line)
        yield from _logical(pending, start)
        pending = []
    yield from _logical(pending, start)


def _logical(pieces: list[str], start: int) -> Iterator[tuple[str, Place]]:
    line = _COMMENT.sub("", "".join(pieces))
    if line.strip():
        column = len(pieces[0]) - len(pieces[0].lstrip()) + 1
        first = _COMMENT.sub("", pieces[0]).rstrip()
        yield line.strip(), (start, column, max(column, len(first)) + 1)


_INCLUDES = {"-r": "includes", "--requirement": "includes", "-c": "constraints", "--constraint": "constraints"}
_SOURCES = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--no-index": "--no-index",
}
_EDITABLE = {"-e", "--editable"}
_IGNORED = frozenset(
    (
        *("--pre", "--prefer-binary", "--require-hashes", "--no-binary", "--only-binary", "--trusted-host"),
        *("--use-feature", "--always-unzip", "-Z", "--all-releases", "--only-final"),
    )
)
_TAKES_VALUE = frozenset(
    (
        *_INCLUDES,
        *(set(_SOURCES) - {"--no-index"}),
        *_EDITABLE,
        *("--no-binary", "--only-binary", "--trusted-host", "--use-feature", "--target", "-t", "--prefix", "--root"),
        *("--python", "--platform", "--python-version", "--cache-dir", "--proxy", "--retries", "--timeout", "--log"),
        *("--upgrade-strategy", "--progress-bar", "--cert", "--client-cert", "--exists-action", "--implementation"),
        *("--abi", "--src", "--report", "--global-option", "--config-settings", "-C", "--root-user-action"),
        *("--keyring-provider", "--resume-retries", "--no-build-isolation-package", "-p"),
    )
)


class _Gatherer:
    """Turns the lines of one file into facts."""

    def __init__(self, file: str, installed_by: str) -> None:
        self._file = file
        self._installed_by = installed_by
        self.result = RequirementsFile()

    def is_full(self) -> bool:
        """Whether no more is read; then the result says so. To be asked only when there is more."""
        full = self.result.size() >= MAX_ENTRIES
        if full:
            self.result.unread = too_many(self._file)
        return full

    def line(self, line: str, place: Place) -> None:
        if line.startswith("-"):
            self.option(line, place, strict=True)
        else:
            words = line.split(" ")
            cut = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
            self.add(" ".join(words[:cut]).strip(), line, place)

    def option(self, line: str, place: Place, *, strict: bool) -> None:
        """One option. `strict` in a file, where pip knows few; a command line has many more, which are skipped."""
        name, value = _split_option(line)
        if name in _INCLUDES and value:
            target = self.result.includes if _INCLUDES[name] == "includes" else self.result.constraints
            target.append(Include(_unquoted(value), place))
        elif name in _EDITABLE and value:
            self._add_link(_unquoted(value), line, place)
        elif name in _SOURCES and (value or name == "--no-index"):
            option = {"option": _SOURCES[name], "value": _redacted(_unquoted(value)) or None, "file": self._file}
            self.result.options.append({**option, "$at": {"": list(place)}})
        elif strict and name not in _IGNORED:
            self._append(_entry(line, problem="invalid"), place)

    def add(self, text: str, raw: str, place: Place) -> None:
        """A requirement; `raw` is the line as written."""
        plain = _PLAIN.fullmatch(text)
        if plain is not None and not text.endswith(_ARCHIVES):
            self._append(_entry(raw, plain["name"], plain["specifier"]), place)
        elif _is_link(text):
            self._add_link(text, raw, place)
        elif variable := _WITH_VARIABLE.fullmatch(text):
            self._append({**_entry(raw, variable["name"]), "specifier": variable["specifier"]}, place)
        else:
            self._append(_parsed(text, raw), place)

    def _add_link(self, text: str, raw: str, place: Place) -> None:
        link, _, marker = text.partition(" ;")
        egg = _EGG.search(link)
        last = re.split(r"[\\/]", re.sub(r"[#?].*", "", link))[-1]
        name = egg[1] if egg else last.partition("-")[0] if last.endswith(".whl") else None
        entry = _entry(_redacted(raw), name)
        self._append({**entry, "url": _redacted(link.strip()), "marker": marker.strip() or None}, place)

    def conda(self, text: str, place: Place) -> None:
        """One of conda's own requirements."""
        match = _CONDA.fullmatch(_COMMENT.sub("", text).strip())
        if match is None:
            self._append(_entry(text, problem="invalid"), place)
            return
        rest = (match["rest"] or "").strip()
        if match["name"].lower() in {"python", "pip"}:
            return
        exact = re.fullmatch(r"==\s*([^\s=*,|<>]+)|=\s*([^\s=*,|<>]+)=\S+", rest)
        pinned = (exact[1] or exact[2]) if exact else None
        self._append({**_entry(text, match["name"]), "specifier": rest, "pinned_version": pinned}, place)

    def _append(self, entry: dict[str, Json], place: Place) -> None:
        source = {"file": self._file, "installed_by": self._installed_by, "$at": {"": list(place)}}
        self.result.entries.append({**entry, **source})


def _split_option(line: str) -> tuple[str, str]:
    if line.startswith("--"):
        match = re.match(r"(--[A-Za-z-]+)(?:\s*=\s*|\s+|$)(.*)", line)
        return (match[1], match[2].strip()) if match else (line, "")
    return line[:2], line[2:].lstrip(" \t=")


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


_CREDENTIALS = Pattern(r"(?<=://)[^/@\s]+@")
_QUERY = Pattern(r"\?[^#\s]*")


def _redacted(url: str) -> str:
    """A URL without what may be a secret: user, password and query."""
    return _QUERY.sub("?…", _CREDENTIALS.sub("***@", url))


# ---------------------------------------------------------------------------------------------------- one requirement

_VERSION = r"[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?"
_CLAUSE = rf"(?:(?:==|!=)[ \t]*[0-9]+(?:\.[0-9]+)*\.\*|(?:==|!=|<=|>=|<|>)[ \t]*{_VERSION}|~=[ \t]*[0-9]+(?:\.[0-9]+)+)"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PLAIN = Pattern(
    rf"(?P<name>{_NAME})[ \t]*(?:\[[ \t]*(?:{_NAME}(?:[ \t]*,[ \t]*{_NAME})*)?[ \t]*\])?"
    rf"[ \t]*(?P<specifier>{_CLAUSE}(?:[ \t]*,[ \t]*{_CLAUSE})*)?"
)
_WITH_VARIABLE = Pattern(rf"(?P<name>{_NAME})(?:\[[^\]]*\])?\s*(?P<specifier>[=<>~!]=?[^;]*\$[^;]*)")
"""A version that an environment variable holds, which pip or the shell puts in."""
_PIN = Pattern(r"={2,3}[ \t]*([^\s,*;]+)[ \t]*")
_LINK = Pattern(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz", ".tar.lz")
_EGG = Pattern(r"[#&]egg=([A-Za-z0-9._-]+)")


def _parsed(text: str, raw: str) -> dict[str, Json]:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return _entry(raw, problem="invalid")
    facts = _entry(raw, requirement.name, None if requirement.url else _written_specifier(text))
    facts["marker"] = str(requirement.marker) if requirement.marker else None
    facts["url"] = _redacted(requirement.url) if requirement.url else None
    return facts


def _written_specifier(text: str) -> str:
    behind = re.match(rf"\s*{_NAME}\s*(?:\[[^\]]*\])?\s*(.*)", text, re.DOTALL)
    return behind[1].partition(";")[0].strip().removeprefix("(").removesuffix(")").strip() if behind else ""


def _is_link(text: str) -> bool:
    """Whether pip would take it for a URL or path rather than a name; `name @ url` is not one."""
    first = text.partition(";")[0].strip()
    if re.match(rf"{_NAME}\s*(?:\[[^\]]*\])?\s*@", first):
        return False
    return (
        bool(_LINK.match(first))
        or first.startswith((".", "/", "\\", "~"))
        or first.endswith(_ARCHIVES)
        or (("/" in first or "\\" in first) and " " not in first)
    )


def _entry(
    raw: str, name: str | None = None, specifier: str | None = None, problem: str | None = None
) -> dict[str, Json]:
    pin = _PIN.fullmatch(specifier or "")
    return {
        "name": _normalised(name) if name else None,
        "raw": _CREDENTIALS.sub("***@", raw),
        "specifier": specifier or "",
        "pinned_version": pin[1] if pin else None,
        "marker": None,
        "url": None,
        "problem": problem,
    }


def _normalised(name: str) -> str:
    """The name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


# ------------------------------------------------------------------------------------------------- conda and pyproject

_CONDA = Pattern(r"(?:\S+::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]*)[ \t]*(?P<rest>[=<>!~\[ ].*)?")


def _poetry(name: str, wanted: Json, place: Place, file: str) -> dict[str, Json]:
    table = wanted if isinstance(wanted, dict) else {"version": wanted}
    version = table.get("version")
    version = version if isinstance(version, str) and version != "*" else ""
    link = table.get("url") or table.get("git") or table.get("path")
    return {
        **_entry(f'{name} = "{version}"', name),
        "specifier": version,
        # poetry takes a bare version for an exact one
        "pinned_version": version if re.fullmatch(r"[0-9]+(?:\.[0-9]+)*", version) else None,
        "url": _redacted(link) if isinstance(link, str) else None,
        "marker": table["markers"] if isinstance(table.get("markers"), str) else None,
        "file": file,
        "installed_by": "pyproject",
        "$at": {"": list(place)},
    }


def _toml(text: str, result: RequirementsFile) -> dict[str, Json]:
    if sys.version_info >= (3, 11):
        import tomllib as toml
    else:
        try:
            import tomli as toml  # type: ignore[import-not-found]  # not needed by the Python that checks
        except ImportError:
            result.unread = Unknown("reader-missing", "TOML is read by Python 3.11 and later, or with tomli installed")
            return {}
    try:
        document: dict[str, Json] = toml.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        result.unread = Unknown("toml-syntax", str(error))
        return {}
    return document


def _table(value: dict[str, Json], key: str) -> dict[str, Json]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _find(text: str, piece: str) -> Place:
    index = max(text.find(piece), 0)
    column = index - (text.rfind("\n", 0, index) + 1) + 1
    return (text.count("\n", 0, index) + 1, column, column + len(piece))
