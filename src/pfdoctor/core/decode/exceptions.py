"""Python exceptions: tracebacks of every make with their chains, and exceptions named without a traceback."""

from __future__ import annotations

import re
from typing import NamedTuple

from pfdoctor.core.decode.record import Found
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_FRAME = Pattern(r'[ \t]*File "(?P<file>[^"\n]{1,500})", line (?P<line>\d+)(?:, in (?P<function>[^\n]{1,200}))?')
_BOXED = Pattern(r"[ \t│|┃]*(?P<file>(?:[A-Za-z]:)?[^\s:│|]{1,400}):(?P<line>\d+) in (?P<function>[\w.<>]{1,200})")
_NOTEBOOK = Pattern(
    r"(?:File (?P<file>[^\n:]{1,400}):(?P<line>\d+), in (?P<function>[^\n(]{1,200})|Cell In\[\d+\], line (?P<cell>\d+))"
)
_RAISED = Pattern(r"(?P<type>(?:[A-Za-z_]\w*\.){0,8}[A-Za-z_]\w*)(?::[ \t]?(?P<message>[^\n]*)|[ \t\r]*(?=\n|\Z))")
_LINKS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_MARGIN = Pattern(r"[ \t]*[|+](?:[-+]*[ \t]?)")
_LINES = 400
_MESSAGE_LINES = 30
_LIBRARIES = ("/site-packages/", "/dist-packages/", "\\site-packages\\", "/lib/python", "\\lib\\", "<frozen ")
_PLATFORM = re.compile(
    r"(?:^|\.)(?:promptflow(?:_\w+)?|azureml(?:_\w+)?|azure|azmlinfsrv|mlflow|gunicorn|uvicorn)(?:\.|$)"
)


class _Raised(NamedTuple):
    """One exception of a chain, with its innermost frame."""

    type: str
    message: str
    file: str | None
    line: int | None
    function: str | None
    user: str | None
    """The innermost file that is no library's."""
    start: int
    """Where in the text its name stands."""


def traceback(text: str, start: int, end: int) -> list[Found]:
    """One error for a whole chain. `code` and `message` are of the exception that began it, `raised` what it became."""
    line = text.rfind("\n", 0, start) + 1
    head = text[line:start]
    lines = _Lines(text, line)
    chain: list[_Raised] = []
    position = end
    boxed = "─" in head or head.rstrip(" ").endswith("--")
    notebook = not boxed and bool(re.search(r"[A-Za-z]\w*[ ]{3,}$", head))
    while len(chain) < 20:
        raised, position = lines.exception(boxed=boxed, notebook=notebook)
        if raised is None:
            break
        chain.append(raised)
        if not lines.goes_on():
            break
    if not chain:
        return []
    first, last = chain[0], chain[-1]
    fields: dict[str, Json] = {
        "file": first.file,
        "line": first.line,
        "function": first.function,
        "module": _module(first.file),
        "owner": owner(first.file) if first.file is not None else None,
        "user_file": first.user,
    }
    if len(chain) > 1:
        fields["raised"] = last.type
        fields["raised_message"] = last.message
        fields["chain"] = [one.type for one in chain]
    kind = first.type.rpartition(".")[2]
    return [Found(first.start, position, "exception", kind, first.message, fields | _named(kind, first.message))]


def owner(file: str) -> str:
    """Whose code a file is: `platform` (prompt flow, Azure, the web server), `library` or `user`."""
    if any(part in file for part in _LIBRARIES):
        module = _module(file) or ""
        return "platform" if _PLATFORM.search(module) else "library"
    return "platform" if file.startswith("<") else "user"


def _module(file: str | None) -> str | None:
    """The dotted name of a library's file, or the file's own name."""
    if file is None:
        return None
    parts = re.split(r"[/\\]", file)
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            parts = parts[len(parts) - parts[::-1].index(folder) :]
            return ".".join(parts).removesuffix(".py").removesuffix(".__init__")
    return parts[-1].removesuffix(".py") or None


class _Lines:
    """The lines of a traceback, one after the other, without the margin that the log gave all of them."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._position = start
        first = text[start : start + 200]
        margin = _MARGIN.match(first)
        self._framed = margin is not None and ("|" in margin[0] or "Exception Group" in first)
        self._indent = len(first) - len(first.lstrip(" \t")) if not self._framed else 0
        self._next()

    def _next(self) -> str | None:
        """The next line; None at the end of the text."""
        if self._position >= len(self._text):
            return None
        stop = self._text.find("\n", self._position)
        stop = stop if stop >= 0 else len(self._text)
        line = self._text[self._position : min(stop, self._position + 4000)].rstrip("\r")
        self._position = stop + 1
        if self._framed:
            margin = _MARGIN.match(line)
            return line[margin.end() :] if margin is not None else None
        return line[self._indent :] if not line[: self._indent].strip(" \t") else line

    def _peek(self) -> str | None:
        position = self._position
        line = self._next()
        self._position = position
        return line

    def exception(self, *, boxed: bool, notebook: bool) -> tuple[_Raised | None, int]:
        """One traceback: its innermost frame and what was raised; None where the text ends before that."""
        file, number, function, user = None, None, None, None
        for _ in range(_LINES):
            before = self._position
            line = self._next()
            if line is None:
                break
            frame = (_BOXED if boxed else _NOTEBOOK if notebook else _FRAME).match(line)
            if frame is not None:
                if notebook and frame["cell"]:
                    file, number, function = "<cell>", int(frame["cell"]), None
                else:
                    file, number, function = frame["file"], int(frame["line"]), frame["function"]
                user = file if file is not None and owner(file) == "user" else user
                continue
            if not line.strip() or line[:1] in " \t│|┃╰╭+" or line.startswith(("-->", "---->", "File ")):
                continue
            if notebook and line[:1].isdigit():
                continue
            raised = _RAISED.match(line)
            if raised is None or "Traceback (most recent call last)" in line:
                self._position = before
                break
            message = self._message(raised["message"] or "")
            function = function.strip() if function else None
            return _Raised(raised["type"], message, file, number, function, user, before), self._position
        return None, self._position

    def _message(self, first: str) -> str:
        """The message with the lines that go on with it: up to a blank line, or one that a logger began."""
        lines = [first]
        while len(lines) < _MESSAGE_LINES:
            line = self._peek()
            if line is None or not line.strip() or _BEGINS.match(line) is not None:
                break
            self._next()
            # gunicorn prints what was raised once more behind its traceback
            if line.strip() not in (first, "\n".join(lines)):
                lines.append(line)
        return "\n".join(lines).strip()

    def goes_on(self) -> bool:
        """Whether the chain has another exception; then the next line is the first of its traceback."""
        linked = False
        for _ in range(6):
            before = self._position
            line = self._next()
            if line is None:
                return False
            stripped = line.strip(" \t│|┃")
            if stripped in _LINKS:
                linked = True
            elif linked and "Traceback (most recent call last)" in line:
                return True
            elif stripped:
                if linked and self._headless(line):
                    return True
                self._position = before
                return False
        return False

    @staticmethod
    def _headless(line: str) -> bool:
        """A notebook repeats the exception's name before each traceback of a chain; rich opens another box."""
        return "Traceback" in line


_BEGINS = Pattern(
    r"\d{4}[-/]\d\d|"
    r"\[\d{4}-|\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b|Traceback \(|\d{1,3}(?:\.\d{1,3}){3} "
    r"|The above exception was|During handling of|\S+ +Traceback \(|##\[|Process exited|npm |[\"']\s*[,}\]]|\+-|[╭╰]"
)

_MISSING = Pattern(r"No module named [\"']?(?P<name>[\w.-]+)")
_CANNOT = Pattern(
    r"cannot import name [\"'](?P<name>[^\"']+)[\"'] from (?:partially initialized module )?[\"']"
    r"(?P<source>[^\"']+)[\"']"
)
_KEY = Pattern(r"[\"'](?P<name>[^\"'\n]{1,200})[\"']\Z")


def _named(kind: str, message: str) -> dict[str, Json]:
    """What the message of a common exception names: the missing module, the name that is not in one, the key."""
    missing = _MISSING.search(message)
    if missing is not None:
        return {"missing_module": missing["name"].strip("'\"")}
    cannot = _CANNOT.search(message)
    if cannot is not None:
        return {"missing_name": cannot["name"], "from_module": cannot["source"]}
    if kind == "KeyError":
        key = _KEY.match(message)
        if key is not None:
            return {"key": key["name"]}
    return {}


_BARE = Pattern(
    r"(?:[A-Za-z_]\w*\.){0,8}(?P<type>[A-Z]\w*(?:Error|Exception|Interrupt|NotFound|Iteration))(?:: "
    r"(?P<message>[^\n]*)|\) (?P<flow>[^\n]*?)"
    r"(?=\"\s*[,}\]]|(?<!\w)'\s*[,}\]]|\n|\Z))"
)


def bare(text: str, start: int, end: int) -> list[Found]:
    """`SomeError: message` at the beginning of a line, or promptflow's `(SomeError) message` anywhere."""
    line = text.rfind("\n", 0, start) + 1
    begin = start
    while begin > line and (text[begin - 1].isalnum() or text[begin - 1] in "._"):
        begin -= 1
    match = _BARE.match(text, begin)
    if match is None or match.end() < end - 1:
        return []
    flow = match["flow"] is not None
    before = text[line:begin]
    if flow != before.endswith("("):
        return []
    if not flow and before.strip(" \t|E>") and not _LEVEL.search(before):
        return []
    message = match["flow"] if flow else match["message"]
    return _one(begin, match.end(), match["type"], message or "")


_LEVEL = Pattern(r"(?:\b(?:ERROR|CRITICAL|FATAL|error|failed|Error)\b[^\w\n]{0,4}|hits |ERROR[ ]+)\Z")


def _one(start: int, end: int, kind: str, message: str) -> list[Found]:
    return [Found(start, end, "exception", kind, message, _named(kind, message))]


def group(text: str, start: int, _end: int) -> list[Found]:
    """`ExceptionGroup: message (2 sub-exceptions)`; each of those has a traceback of its own."""
    stop = text.find("\n", start)
    return _one(start, stop if stop >= 0 else len(text), "ExceptionGroup", text[start : stop if stop >= 0 else None])
