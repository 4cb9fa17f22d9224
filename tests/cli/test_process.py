"""What only a process of its own can show: start-up, pipes, signals, completion, the help."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pfdoctor

HEAVY = ("azure", "jsonschema", "pydantic", "rich")

COMMAND = [sys.executable, "-m", "pfdoctor"]


def _run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Facts of one case of which nothing is known."""
    path = tmp_path / "facts.json"
    path.write_text(
        '{"schema": "pfdoctor/snapshot/v1", "problems": [], "cases": '
        '[{"case": {"name": "n", "kind": "flow"}, "declared": {}, "origins": {}, "excerpts": {}}]}'
    )
    return path


def test_the_version() -> None:
    ended = _run("--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"pfdoctor {pfdoctor.__version__}\n", "")


@pytest.mark.parametrize("command", [(), ("check",), ("facts",), ("explain",), ("rules",), ("rules", "test")])
def test_help(command: tuple[str, ...]) -> None:
    ended = _run(*command, "--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: ")
    assert max(map(len, ended.stdout.splitlines())) <= 80


def test_an_unknown_command_is_a_usage_error() -> None:
    ended = _run("chekc")
    assert ended.returncode == 2
    assert "chekc" in ended.stderr


@pytest.mark.parametrize("replayed", [True, False])
def test_nothing_heavy_is_imported(snapshot: Path, root: Path, replayed: bool) -> None:
    what = ["--facts", str(snapshot)] if replayed else [str(root / "examples" / "healthy")]
    script = (
        "import sys\n"
        "from pfdoctor.cli.main import main\n"
        f"code = main(['check', *{what!r}, '--format', 'json'])\n"
        f"print([name for name in {HEAVY} if name in sys.modules], code, file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr == "[] 0\n"


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe shows differently there")
def test_a_reader_that_goes_away_is_silent(snapshot: Path) -> None:
    script = f'{{ {sys.executable} -m pfdoctor check --facts {snapshot} -v; echo "code $?" >&2; }} | true'
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert ended.stderr == "code 0\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told(snapshot: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, "check", "--facts", snapshot], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 2
    assert ended.stderr == "pfdoctor: error: cannot write to standard output: No space left on device\n"


@pytest.fixture
def heeded() -> Iterator[None]:
    """Lets children be interrupted: what a shell starts in the background ignores SIGINT, and hands that down."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
@pytest.mark.usefixtures("heeded")
def test_ctrl_c() -> None:
    # stdin stays open, so the process waits for its list of paths until it is interrupted
    with subprocess.Popen(
        [*COMMAND, "check", "--facts", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_terminal_that_knows_no_unicode(snapshot: Path) -> None:
    ended = _run("check", "--facts", snapshot, PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert "\\xb7 exit 0" in ended.stdout


def test_completion_knows_the_commands() -> None:
    ended = _run(_PFDOCTOR_COMPLETE="complete_bash", COMP_WORDS="pfdoctor ex", COMP_CWORD="1")
    assert "explain" in ended.stdout.split()
