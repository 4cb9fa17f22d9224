"""`pfdoctor` as processes of its own that can be killed for good, without paying for a new interpreter each time.

One process imports the product and forks for every command. The fork dies by SIGKILL at the n-th of its calls that
reach the disk, or whenever the test says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

_SERVER = r"""
import json, os, pathlib, signal, stat, sys, tempfile
import pfdoctor.cli.apply, pfdoctor.cli.undo, pfdoctor.cli.plan, pfdoctor.cli.live, pfdoctor.cli.fixing
import pfdoctor.apply.azure, pfdoctor.collect.azure, pfdoctor.collect.azure.raw, pfdoctor.cli.own_rules
import pfdoctor.cli.applied, pfdoctor.report.plan, pfdoctor.report.handoff, pfdoctor.cloud.credentials
from pfdoctor.cli.main import main

ROOT = os.getcwd()

def die_at(last, half, calls):
    def halve(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            # of what was not flushed yet, the end is lost
            os.truncate(descriptor, max(os.fstat(descriptor).st_size - 20, 0))

    def counted(name, real):
        def call(*arguments, **more):
            calls.append(name)
            if len(calls) == last:
                if half and name == "fsync":
                    halve(arguments[0])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)
        return call

    os.fsync = counted("fsync", os.fsync)
    for name in ("replace", "rename", "mkdir", "rmdir", "unlink"):
        setattr(pathlib.Path, name, counted(name, getattr(pathlib.Path, name)))

def child(order, out, err, told):
    os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["cwd"])
    for name in [one for one in os.environ if one.startswith(("AZURE_", "ARM_", "IDENTITY_", "MSI_"))]:
        del os.environ[name]
    os.environ.update(order["environment"])
    sys.argv = ["pfdoctor", *order["arguments"]]
    calls = []
    die_at(order["last"], order["half"], calls)
    code = main(order["arguments"])
    sys.stdout.flush(), sys.stderr.flush()
    told.write(json.dumps(calls).encode())
    told.flush()
    os._exit(code)

for line in sys.stdin:
    order = json.loads(line)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as told:
        pid = os.fork()
        if not pid:
            try:
                child(order, out, err, told)
            finally:
                os._exit(99)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        text = []
        for file in (out, err, told):
            file.seek(0)
            text.append(file.read().decode("utf-8", "replace"))
        code = os.waitstatus_to_exitcode(status)
        ended = {"code": code, "out": text[0], "err": text[1], "calls": json.loads(text[2] or "[]")}
        print(json.dumps(ended), flush=True)
"""


class Ended(NamedTuple):
    """How a command ended: -9 where it was killed. `calls` are those that reached the disk."""

    code: int
    out: str
    err: str
    calls: list[str]


class Running:
    """A command under way."""

    def __init__(self, answers: IO[str]) -> None:
        self.pid = int(answers.readline())
        self._answers = answers

    def kill(self) -> None:
        """SIGKILL, at once."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for it."""
        return Ended(**json.loads(self._answers.readline()))


class Forks:
    """Starts commands, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(
        self,
        where: Path,
        *arguments: str,
        last: int = 0,
        half: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Running:
        """Start a command in a folder; it dies at its call number `last`, with `half` inside what that call flushes."""
        order = {
            "cwd": str(where),
            "arguments": arguments,
            "last": last,
            "half": half,
            "environment": dict(environment or {}),
        }
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        requests.write(json.dumps(order) + "\n")
        requests.flush()
        return Running(answers)

    def run(
        self,
        where: Path,
        *arguments: str,
        last: int = 0,
        half: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """The same, to its end."""
        return self.start(where, *arguments, last=last, half=half, environment=environment).end()


@contextmanager
def forks() -> Iterator[Forks]:
    """The process that forks, until the end of the block."""
    command = [sys.executable, "-W", "error", "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0
