"""Writing: results to stdout or a file, everything else to stderr. A reader who has gone away is no error."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pfdoctor.core.model import PfdoctorError
from pfdoctor.report.style import Line, coloured, plain

STDOUT = "-"
MIN_WIDTH, DEFAULT_WIDTH, MAX_WIDTH = 40, 80, 120

# a closed pipe is EPIPE, and on Windows EINVAL
_CLOSED = (errno.EPIPE, errno.EINVAL)


def write(text: str, target: str = STDOUT) -> None:
    """Write UTF-8 to a file, or to stdout for `-`. Raises PfdoctorError when there is no room or no permission."""
    data = text.encode("utf-8", "backslashreplace")
    if target == STDOUT:
        _to_stdout(data)
        return
    try:
        Path(target).write_bytes(data)
    except OSError as error:
        raise PfdoctorError(f"cannot write {target}: {error.strerror}") from error


class Sink:
    """A file that is written bit by bit, or stdout. Raises PfdoctorError as `write` does."""

    def __init__(self, file: IO[bytes] | None, target: str) -> None:
        self._file = file
        self._target = target

    def write(self, text: str) -> None:
        """Writes, and lets the reader have it at once."""
        data = text.encode("utf-8", "backslashreplace")
        if self._file is None:
            _to_stdout(data)
            return
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise PfdoctorError(f"cannot write {self._target}: {error.strerror}") from error


@contextmanager
def sink(target: str) -> Iterator[Sink]:
    """A sink to a new file, or to stdout for `-`."""
    if target == STDOUT:
        yield Sink(None, target)
        return
    try:
        # without a buffer: what is left in one when a disk is full fails once more, when the file is closed
        opened = Path(target).open("wb", buffering=0)  # noqa: SIM115 - closed below; only the opening may fail as the user's mistake
    except OSError as error:
        raise PfdoctorError(f"cannot write {target}: {error.strerror}") from error
    with opened:
        yield Sink(opened, target)


def print_lines(lines: Iterable[Line], color: str) -> None:
    """Print laid-out lines, with colour where the option, the environment and the terminal agree on it."""
    text = coloured(lines) if wants_colour(color, os.environ, is_terminal=sys.stdout.isatty()) else plain(lines)
    # a terminal that cannot show a character gets its escape
    encoding = sys.stdout.encoding or "utf-8"
    _to_stdout(text.encode(encoding, "backslashreplace"))


def _to_stdout(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        _silence_stdout()
        if error.errno not in _CLOSED:
            raise PfdoctorError(f"cannot write to standard output: {error.strerror}") from error


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter does not fail once more when it flushes on its way out."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        # no file behind stdout, as in a test: nothing is left to be flushed
        return


def say(message: str) -> None:
    """One line for the person at the terminal, on stderr."""
    try:
        print(f"pfdoctor: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the one place that does
    except (OSError, UnicodeError):
        # nobody can be told that nobody can be told
        return


def wants_colour(option: str, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether to colour: `--color` first, then NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, TERM, then the terminal."""
    if option != "auto":
        return option == "always"
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def width() -> int:
    """Columns to lay out for: COLUMNS, the terminal's, or 80 where there is none; within what reads well."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        columns = int(given)
    elif sys.stdout.isatty():
        try:
            # a terminal that does not know its size says 0
            columns = os.get_terminal_size(sys.stdout.fileno()).columns or DEFAULT_WIDTH
        except (OSError, ValueError):
            columns = DEFAULT_WIDTH
    else:
        columns = DEFAULT_WIDTH
    return min(max(columns, MIN_WIDTH), MAX_WIDTH)
