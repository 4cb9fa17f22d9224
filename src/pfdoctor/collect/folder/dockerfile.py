"""A Dockerfile as facts: what it builds on, installs, copies and starts. Parsed, never built."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pfdoctor.collect.folder.requirements import (
    MAX_ENTRIES,
    Place,
    RequirementsFile,
    read_requirement_words,
    too_many,
)
from pfdoctor.collect.image import read_image
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern


class _Instruction(NamedTuple):
    name: str
    """In capitals."""
    text: str
    """What follows the name, continued lines joined, and the lines of a here-document below."""
    line: int


@dataclass(slots=True)
class _Stage:
    alias: str | None
    base: str
    """The reference after FROM, arguments replaced."""
    line: int
    column: int
    instructions: list[_Instruction] = field(default_factory=list)


def read_dockerfile(text: str, file: str) -> dict[str, Json]:
    """The facts `dockerfile`. Never raises. `file` is the path as the facts shall carry it.

    Of a build in stages, the facts are those of the last stage and of the stages it builds on. CMD and ENTRYPOINT are
    the words after the instruction, as written. `base` is null without FROM, unknown when an argument without a
    default names it. `starts_server` is false when neither instruction is there, unknown for a command that may start
    a server but is no known one.
    """
    stages = _stages(text)
    chain = _chain(stages)
    instructions = [instruction for stage in chain for instruction in stage.instructions]
    places: dict[str, list[int]] = {}
    facts: dict[str, Json] = {"file": file, "base": None, "$at": places}
    first = next(_instructions(text), None)
    if not chain and first is not None:
        # where FROM is looked for
        places[""] = places["file"] = [first.line]
    if chain:
        facts["base"] = _base(chain[0].base)
        places["base"] = [chain[0].line, chain[0].column, chain[0].column + len(chain[0].base)]
        places[""] = [chain[0].line]
    for name in ("CMD", "ENTRYPOINT", "USER"):
        last = next((one for one in reversed(instructions) if one.name == name), None)
        facts[name.lower()] = last.text if last else None
        if last:
            places[name.lower()] = [last.line]
    facts["starts_server"] = _starts_server([facts["entrypoint"], facts["cmd"]])
    facts |= _copied(instructions, places)
    facts |= _installed(instructions, places)
    variables = _environment(instructions)
    facts["sets_environment"] = variables
    facts["exposed_ports"] = _ports(instructions, variables)
    return facts


def read_pip_installs(text: str, file: str) -> RequirementsFile:
    """The packages and options that the last stage's `pip install` commands name, with the lines of their RUN.

    `includes` are the requirements files, as paths inside the image.
    """
    result = RequirementsFile()
    for instruction in (one for stage in _chain(_stages(text)) for one in stage.instructions):
        for command in _commands(instruction):
            words = _pip_arguments(command, "install")
            if words is not None:
                if result.size() >= MAX_ENTRIES:
                    result.unread = too_many(file)
                    return result
                place: Place = (instruction.line, 1, 4)
                found = read_requirement_words(words, place, file, "dockerfile")
                result.entries += found.entries
                result.options += found.options
                result.includes += found.includes
                result.constraints += found.constraints
                if found.unread is not None:
                    result.unread = found.unread
                    return result
    return result


class Copy(NamedTuple):
    """A source of COPY or ADD. `certain`: a plain path of the build context, not a pattern, address or variable."""

    source: str
    line: int
    certain: bool


def read_copies(text: str) -> list[Copy]:
    """What the last stage, and the stages it builds on, copy; with `--from` a copy is not certain."""
    return [
        Copy(source, instruction.line, not other and _UNCERTAIN.search(source) is None)
        for instruction in (one for stage in _chain(_stages(text)) for one in stage.instructions)
        for source, other in _copy_sources(instruction)
    ]


def read_uncopied_installs(text: str) -> list[Copy]:
    """Requirements files, by a path relative to the working directory, that no earlier instruction mentions.

    What an instruction mentions it may have made: the name after `COPY … name`, `curl -o name`, or a bind mount.
    """
    found: list[Copy] = []
    mentioned = ""
    for instruction in (one for stage in _chain(_stages(text)) for one in stage.instructions):
        for command in _commands(instruction):
            words = _pip_arguments(command, "install")
            includes = (
                read_requirement_words(words, (instruction.line, 1, 4), "", "dockerfile").includes if words else ()
            )
            for one in includes:
                name = one.path.rpartition("/")[2]
                # a mount, or a file that the same command fetches, is in the text of the instruction more than once
                twice = instruction.text.count(name) > 1 or "--mount" in instruction.text
                plain = not one.path.startswith("/") and _UNCERTAIN.search(one.path) is None
                if plain and not twice and name not in mentioned:
                    found.append(Copy(one.path, instruction.line, certain=True))
        mentioned += instruction.text + "\n"
    return found


# ---------------------------------------------------------------------------------------------------------- splitting

_ESCAPE = Pattern(r"#\s*escape\s*=\s*([`\\])\s*$", re.IGNORECASE)
_DIRECTIVE = Pattern(r"#\s*[A-Za-z][A-Za-z0-9]*\s*=.*$")
_HEREDOC = Pattern(r"<<-?\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_HEREDOC_INSTRUCTIONS = {"RUN", "COPY", "ADD"}


def _instructions(text: str) -> Iterator[_Instruction]:
    lines = text.removeprefix("\ufeff").splitlines()
    escape = _escape(lines)
    index = 0
    while index < len(lines):
        line = lines[index].strip()
        start = index
        index += 1
        if not line or line.startswith("#"):
            continue
        pieces = [line]
        while pieces[-1].endswith(escape) and index < len(lines):
            pieces[-1] = pieces[-1].removesuffix(escape)
            following = lines[index].strip()
            index += 1
            # comments and empty lines inside a continued instruction are dropped
            pieces.append(f"{escape}" if not following or following.startswith("#") else following)
        joined = " ".join(piece.removesuffix(escape).strip() for piece in pieces).strip()
        name, _, rest = joined.partition(" ")
        name = name.upper()
        if name in _HEREDOC_INSTRUCTIONS:
            for mark in _HEREDOC.finditer(rest):
                body, index = _heredoc(lines, index, mark[2], tabs=mark[0].startswith("<<-"))
                rest += "\n" + body if name == "RUN" else ""
        yield _Instruction(name, rest.strip(), start + 1)


def _heredoc(lines: list[str], index: int, end: str, *, tabs: bool) -> tuple[str, int]:
    body = []
    while index < len(lines):
        line = lines[index].lstrip("\t") if tabs else lines[index]
        index += 1
        if line.rstrip("\r") == end:
            break
        body.append(line)
    return "\n".join(body), index


def _escape(lines: list[str]) -> str:
    """The character that continues a line: a directive in the first comments may change it."""
    for line in lines:
        match = _ESCAPE.match(line.strip())
        if match is not None:
            return match[1]
        if _DIRECTIVE.match(line.strip()) is None:
            break
    return "\\"


_FROM = Pattern(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+as\s+(?P<alias>\S+))?\s*$", re.IGNORECASE)


def _stages(text: str) -> list[_Stage]:
    stages: list[_Stage] = []
    arguments: dict[str, str] = {}
    lines = text.removeprefix("\ufeff").splitlines()
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            match = _FROM.match(instruction.text)
            base = match["base"] if match else instruction.text.partition(" ")[0]
            alias = match["alias"] if match else None
            column = max(lines[instruction.line - 1].find(base), 0) + 1
            stages.append(_Stage(alias, _substituted(base, arguments), instruction.line, column))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.name == "ARG":
            arguments |= dict(_pairs(instruction.text))
    return stages


def _chain(stages: list[_Stage]) -> list[_Stage]:
    """The stages that the last one is made of, the first of them first."""
    if not stages:
        return []
    chain = [stages[-1]]
    position = len(stages) - 1
    while True:
        base = chain[0].base.lower()
        parent = next((at for at in range(position) if (stages[at].alias or "").lower() == base), None)
        if parent is None and base.isdecimal() and int(base) < position:
            parent = int(base)
        if parent is None:
            return chain
        chain.insert(0, stages[parent])
        position = parent


_VARIABLE = Pattern(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)(?::(?P<operator>[-+])(?P<word>[^}]*))?\}|(?P<bare>[A-Za-z_]\w*))")


def _substituted(text: str, values: dict[str, str]) -> str:
    """The text with the variables that have a value replaced; the others stay as written."""

    def replace(match: re.Match[str]) -> str:
        value = values.get(match["braced"] or match["bare"])
        if match["operator"] == "-":
            return value or str(match["word"])
        if match["operator"] == "+":
            return str(match["word"]) if value else ""
        return match[0] if value is None else value

    return _VARIABLE.sub(replace, text)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """NAME=value pairs, quotes removed; names without a value are left out."""
    for word in _words(text):
        name, equals, value = word.partition("=")
        if equals:
            yield name, value


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=False)
    except ValueError:  # a quote that never closes
        return text.split()


def _base(reference: str) -> Json:
    if "$" in reference:
        return Unknown("build-argument", f"FROM {reference}: the build gives the argument").to_json()
    return read_image(reference)


# ------------------------------------------------------------------------------------------------- start, copy, user

_SERVER = Pattern(
    r"\b(?:gunicorn|uvicorn|hypercorn|waitress(?:-serve)?|runsvdir|azmlinfsrv)\b|\b(?:pf|promptflow)\b.{0,200}\bserve\b"
    r"|(?:^|[/\s\"'])start\.sh\b|/var/runit"
)
_NO_SERVER = Pattern(
    r"(?:(?:/usr)?(?:/bin/)?(?:ba|z|da)?sh|python[0-9.]*|ipython|sleep|tail|echo|true|cat|top|date|jupyter\S*)"
    r"(?:\s+(?:-i|-l|infinity|inf|[0-9]+[smhd]?|-f|/dev/null|lab|notebook))*"
)


def _starts_server(parts: list[str | None]) -> Json:
    commands = [_shell_text(part) for part in parts if part is not None]
    if not commands:
        return False
    together = " ".join(commands)
    if _SERVER.search(together):
        return True
    if _NO_SERVER.fullmatch(together.strip()):
        return False
    return Unknown("command-unknown", f"whether `{together}` starts a server is not known").to_json()


def _shell_text(text: str) -> str:
    """The command as one line, whether it is written as JSON or for the shell."""
    words = _json_words(text)
    return " ".join(words) if words is not None else text


def _json_words(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


_UNCERTAIN = Pattern(r"[$*?\[\]{}<>]|://|^git@")


def _copy_sources(instruction: _Instruction) -> Iterator[tuple[str, bool]]:
    """The sources of a COPY or ADD, each with whether it comes from another stage or image."""
    if instruction.name in {"COPY", "ADD"}:
        flags = re.match(r"(?:--\S+\s+)*", instruction.text)
        rest = instruction.text[flags.end() :] if flags else instruction.text
        words = _json_words(rest) or _words(rest)
        other = flags is not None and "--from" in flags[0]
        yield from ((word, other) for word in words[:-1] if not word.startswith("<<"))


def _copied(instructions: list[_Instruction], places: dict[str, list[int]]) -> dict[str, Json]:
    sources: list[str] = []
    for instruction in instructions:
        found = [source for source, other in _copy_sources(instruction) if not other]
        if not found:
            continue
        sources += found
        places.setdefault("copies", [instruction.line])
        if any(map(_is_everything, found)):
            places.setdefault("copies_everything", [instruction.line])
    return {"copies": sources, "copies_everything": any(_is_everything(source) for source in sources)}


def _is_everything(source: str) -> bool:
    return source.rstrip("/") in {".", "./*", "*", "./.", ""}


def _environment(instructions: list[_Instruction]) -> dict[str, Json]:
    """ENV, with the arguments and variables known so far put in."""
    values: dict[str, str] = {}
    arguments: dict[str, str] = {}
    for instruction in instructions:
        if instruction.name == "ARG":
            arguments |= dict(_pairs(instruction.text))
        elif instruction.name == "ENV":
            first = instruction.text.split(None, 1)
            if first and "=" not in first[0]:  # ENV NAME the whole rest
                found = {first[0]: first[1] if len(first) > 1 else ""}
            else:
                found = dict(_pairs(instruction.text))
            known = {**arguments, **values}
            values |= {name: _substituted(value, known) for name, value in found.items()}
    return dict(values)


def _ports(instructions: list[_Instruction], variables: dict[str, Json]) -> list[int]:
    arguments = dict(pair for one in instructions if one.name == "ARG" for pair in _pairs(one.text))
    ports = []
    for instruction in instructions:
        if instruction.name == "EXPOSE":
            for word in _substituted(instruction.text, {**arguments, **variables}).split():
                number = word.partition("/")[0]
                if number.isascii() and number.isdecimal() and int(number[:6]) <= 65_535:
                    ports.append(int(number))
    return ports


# --------------------------------------------------------------------------------------------------------- installing

_SEPARATOR = Pattern(r"&&|\|\||[;\n|]")
_PIP = Pattern(r"(?P<path>\S*/)?pip(?P<version>[0-9.]*)")
_PYTHON = Pattern(r"(?P<path>\S*/)?python(?P<version>[0-9.]*)")
_RUNTIME = "/azureml-envs/prompt-flow/runtime/"
_ELSEWHERE = Pattern(
    r"\b(?:conda|mamba|micromamba)\s+(?:env\s+)?(?:create|install|update|activate|run)\b"
    r"|\bpython[0-9.]*\s+-m\s+(?:venv|virtualenv)\b|\bvirtualenv\s|\buv\s+venv\b"
    r"|\b(?:source|\.)\s+(?:\S*/)?activate\b"
)
_REDIRECTION = Pattern(r"[0-9&]*[<>].*")
_TARGET = Pattern(r"\s(?:--target|--prefix|--root|--user|-t)\b")
_PROMPTFLOW = Pattern(r"promptflow(?:[-_.](?:core|devkit|tracing|azure|tools))?(?![A-Za-z0-9_.-])", re.IGNORECASE)


def _commands(instruction: _Instruction) -> Iterator[str]:
    """The simple commands of a RUN."""
    if instruction.name != "RUN":
        return
    flags = re.match(r"(?:--\S+\s+)*", instruction.text)
    text = instruction.text[flags.end() :] if flags else instruction.text
    words = _json_words(text)
    if words is not None:
        text = words[-1] if words[:2] in (["bash", "-c"], ["sh", "-c"], ["/bin/bash", "-c"]) else shlex.join(words)
    for command in _SEPARATOR.split(text):
        if command.strip():
            yield command.strip()


def _pip_arguments(command: str, action: str) -> list[str] | None:
    """What follows `pip install` (or uninstall) in a command, or None when it is none."""
    words = _words(command)
    for index, word in enumerate(words):
        is_pip = _PIP.fullmatch(word) is not None
        if is_pip and action in words[index + 1 : index + 6]:
            arguments = words[words.index(action, index) + 1 :]
            redirected = (at for at, argument in enumerate(arguments) if _REDIRECTION.fullmatch(argument))
            return arguments[: next(redirected, None)]
    return None


def _installed(instructions: list[_Instruction], places: dict[str, list[int]]) -> dict[str, Json]:
    files: list[str] = []
    packages = removed = False
    reinstalled = False
    outside: str | None = None
    for instruction in instructions:
        for command in _commands(instruction):
            if outside is None and _is_outside(command):
                outside = command
                places["pip_outside_environment"] = [instruction.line]
            gone = _pip_arguments(command, "uninstall")
            if gone is not None and any(_PROMPTFLOW.fullmatch(word) for word in gone):
                removed = True
                places.setdefault("uninstalls_promptflow", [instruction.line])
            words = _pip_arguments(command, "install")
            if words is None:
                continue
            found = read_requirement_words(words, (instruction.line, 1, 4), "", "dockerfile")
            files += [include.path for include in found.includes]
            if found.includes:
                places.setdefault("installs_requirements", [instruction.line])
            if found.entries:
                packages = True
                places.setdefault("installs_packages", [instruction.line])
            named = any(_PROMPTFLOW.fullmatch(entry["name"] or "") for entry in found.entries)
            reinstalled = reinstalled or (removed and (named or bool(found.includes)))
    return {
        "installs_requirements": files,
        "installs_packages": packages,
        "pip_outside_environment": outside,
        "uninstalls_promptflow": removed and reinstalled,
    }


def _is_outside(command: str) -> bool:
    if _RUNTIME in command:
        return False
    if _ELSEWHERE.search(command):
        return True
    if _pip_arguments(command, "install") is None:
        return False
    if _TARGET.search(command):
        return True
    words = _words(command)
    for index, word in enumerate(words):
        pip = _PIP.fullmatch(word)
        python = _PYTHON.fullmatch(word) if words[index + 1 : index + 3] == ["-m", "pip"] else None
        for match in (pip, python):
            # pip3 and python3 are the image's own; a path or a minor version is another one's
            if match is not None and (match["path"] or "." in match["version"]):
                return True
    return False
