"""What is kept of an internal error: versions and where in the code it happened; nothing of the user's input.

The message of the exception is left out: it often quotes a value, and a value may be a secret.
"""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pfdoctor
from pfdoctor.cli import COMMANDS

_LIBRARIES = ("typer", "PyYAML", "packaging", "jinja2", "rich", "jsonschema")


def record(error: BaseException) -> str:
    """Write the log file; a clause that tells where it is, or that it could not be written."""
    folder = state_directory()
    now = datetime.now(timezone.utc)
    path = folder / f"crash-{now:%Y%m%dT%H%M%S%f}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # for the user's eyes: paths of their code are in it
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(_lines(error, now)) + "\n")
    except OSError as failure:
        return f"its log could not be written to {path}: {failure.strerror}"
    return f"a log without your data is in {path}"


def state_directory() -> Path:
    """Where logs are kept: XDG_STATE_HOME, or the platform's place for such things."""
    base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "pfdoctor"
    except RuntimeError:
        # no home directory at all
        return Path.cwd()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "is not installed"


def _command(arguments: Sequence[str]) -> Iterator[str]:
    """The command and the names of its flags, without any value."""
    for word in arguments:
        if word.startswith("--"):
            yield word.partition("=")[0]
        elif word in COMMANDS or word.startswith("-"):
            yield word if word in COMMANDS else word[:2]


def _lines(error: BaseException, now: datetime) -> Iterator[str]:
    yield f"pfdoctor {pfdoctor.__version__}, {now:%Y-%m-%d %H:%M:%S} UTC"
    yield f"Python {platform.python_version()} ({sys.implementation.name}) on {platform.platform()}"
    yield ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    yield "command: " + " ".join(_command(sys.argv[1:]))
    current: BaseException | None = error
    while current is not None:
        yield ""
        yield f"{type(current).__module__}.{type(current).__qualname__}"
        for frame, number in traceback.walk_tb(current.__traceback__):
            yield f"  {frame.f_globals.get('__name__', '?')}:{number} {frame.f_code.co_name}"
        current = current.__cause__ or current.__context__
