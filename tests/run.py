"""The one command that tests everything: lint, format, types, the import contract, then pytest.

    python tests/run.py            everything, with pytest on every Python from 3.10 to 3.13 that this machine has
    python tests/run.py --fast     everything, with pytest on the Python that runs this only
    python tests/run.py -k graph   further arguments go to pytest

Needs what `pip install -e '.[test]'` brings. The other interpreters get virtual environments of their own in .venvs/,
installed from requirements/dev.txt by hash and kept until that file changes. So does promptflow, which some tests run
as a program: .venvs/promptflow, on Python 3.11, unless PFDOCTOR_PROMPTFLOW_PYTHON names an interpreter that has it.

The first Python runs everything; the oldest and the newest all but what is marked `once`; those between them the core
and the reading of files and of Azure. The whole has to fit into twenty minutes.

With CI=true a skipped test is a failure, and so are fewer than two interpreters.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "dev.txt"
PROMPTFLOW_LOCK = ROOT / "requirements" / "promptflow.txt"
PROMPTFLOW_PYTHON = "PFDOCTOR_PROMPTFLOW_PYTHON"
PROMPTFLOW_VERSION = "3.11"  # what that lock holds for
VENVS = ROOT / ".venvs"
REPORTS = VENVS / "reports"

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

PIP = ("-m", "pip", "--disable-pip-version-check")

# Each check is a name, the arguments after `python`, and the file without which it has nothing to do yet.
# A new one is a new line.
CHECKS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("lint", ("-m", "ruff", "check", "."), "pyproject.toml"),
    ("format", ("-m", "ruff", "format", "--check", "."), "pyproject.toml"),
    ("types", ("-m", "mypy"), "pyproject.toml"),
    ("imports", ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"), "pyproject.toml"),
    ("docs", ("tools/gen_docs.py", "--check"), "tools/gen_docs.py"),
)


@dataclass(frozen=True)
class Outcome:
    """What one step came to; the counts are tests, and zero for a step that is not pytest."""

    name: str
    good: bool
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def main() -> int:
    """Run what the command line asks for; 0 if all of it is good."""
    options, pytest_args = _parse(sys.argv[1:])
    strict = os.environ.get("CI") == "true"
    began = time.monotonic()
    outcomes = [_check(name, command) for name, command, needs in CHECKS if (ROOT / needs).exists()]
    outcomes.extend(_promptflow())
    outcomes.append(_pytest(HERE, sys.executable, pytest_args))
    if not options.fast:
        interpreters = dict(_interpreters())
        for version, interpreter in interpreters.items():
            outcomes.extend(_elsewhere(version, interpreter, pytest_args))
        present = {HERE, *interpreters}
        missing = [version for version in SUPPORTED if version not in present]
        print(f"\nPython {', '.join(missing)} not on this machine" if missing else "\nevery supported Python tested")
        if strict:
            outcomes.append(Outcome("two interpreters or more", good=len(present) > 1))
    if strict:
        outcomes.append(Outcome("no test skipped", good=not any(o.skipped for o in outcomes)))
    return _summary(outcomes, time.monotonic() - began)


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="only the Python that runs this")
    return parser.parse_known_args(arguments)


def _check(name: str, command: Sequence[str]) -> Outcome:
    return _run(name, [sys.executable, *command])


def _run(name: str, command: Sequence[str]) -> Outcome:
    print(f"\n── {name}", flush=True)
    began = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    seconds = time.monotonic() - began
    print(f"── {name}: {'ok' if code == 0 else f'exit {code}'} in {seconds:.1f} s", flush=True)
    return Outcome(name, good=code == 0, seconds=seconds)


def _pytest(version: str, interpreter: str, arguments: Sequence[str]) -> Outcome:
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"{version}.xml"
    report.unlink(missing_ok=True)
    workers = str(min(os.cpu_count() or 1, 8))
    # a few tests take half a minute: who has nothing left takes over what others have not begun
    spread = ["-n", workers, "--dist", "worksteal"]
    command = [interpreter, "-m", "pytest", "-q", *spread, f"--junitxml={report}", *arguments]
    outcome = _run(f"pytest on {version}", command)
    if not report.exists():  # pytest did not get as far as running a test
        return replace(outcome, good=False)
    passed, failed, skipped = _count(report)
    return replace(outcome, passed=passed, failed=failed, skipped=skipped)


def _count(report: Path) -> tuple[int, int, int]:
    """The tests of a JUnit file that passed, failed, were skipped; one expected to fail that did has passed."""
    passed = failed = skipped = 0
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif any(skip.get("type") != "pytest.xfail" for skip in case.iter("skipped")):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def _elsewhere(version: str, interpreter: str, arguments: Sequence[str]) -> Iterator[Outcome]:
    """Test on another interpreter, in its own virtual environment, made first where it is missing or out of date."""
    python = _python_of(VENVS / version)
    own = [python, *PIP, "install", "--quiet", "--no-deps", "--no-compile", "--no-build-isolation", "-e", str(ROOT)]
    sources = (LOCK, ROOT / "pyproject.toml", ROOT / "hatch_build.py")
    outcomes = list(_environment(version, interpreter, sources, [(f"pfdoctor on {version}", own)]))
    yield from outcomes
    if all(outcome.good for outcome in outcomes):
        # What promptflow does depends on its own Python, and what rules make of texts and scenarios on none; both take
        # long, and the first run has seen them. Between the oldest Python and the newest, which see all else, only what
        # leans on Python itself is left: the core, and the reading of files.
        between = version not in {SUPPORTED[0], SUPPORTED[-1]}
        where = [] if arguments or not between else ["tests/core", "tests/collect", "tests/cloud"]
        yield _pytest(version, python, ["-m", "not promptflow and not once", *where, *arguments])


def _promptflow() -> Iterator[Outcome]:
    """Give the tests an interpreter that has promptflow."""
    if os.environ.get(PROMPTFLOW_PYTHON):
        return
    if platform.system() != "Linux":
        print("\nrequirements/promptflow.txt is a lock for Linux: the tests of promptflow itself are skipped")
        return
    known = dict(_interpreters())
    interpreter = sys.executable if HERE == PROMPTFLOW_VERSION else known.get(PROMPTFLOW_VERSION)
    if interpreter is None:
        print(f"\npromptflow needs Python {PROMPTFLOW_VERSION}, which is not on this machine: its tests are skipped")
        return
    outcomes = list(_environment("promptflow", interpreter, (PROMPTFLOW_LOCK,), ()))
    yield from outcomes
    if all(outcome.good for outcome in outcomes):
        os.environ[PROMPTFLOW_PYTHON] = _python_of(VENVS / "promptflow")


def _environment(
    name: str, interpreter: str, sources: Sequence[Path], further: Iterable[tuple[str, Sequence[str]]]
) -> Iterator[Outcome]:
    """Make .venvs/NAME from `sources`, the first of them its lock, and run what is to be done `further` in it."""
    venv = VENVS / name
    python = _python_of(venv)
    stamp, recipe = venv / "recipe", _recipe(interpreter, sources)
    if stamp.exists() and stamp.read_text() == recipe:
        return
    shutil.rmtree(venv, ignore_errors=True)
    lock = [python, *PIP, "install", "--quiet", "--no-deps", "--no-compile", "--require-hashes", "-r", str(sources[0])]
    for step, command in (
        (f"virtual environment for {name}", [interpreter, "-m", "venv", str(venv)]),
        (f"the lock on {name}", lock),
        *further,
        (f"pip check on {name}", [python, *PIP, "check"]),
    ):
        outcome = _run(step, command)
        yield outcome
        if not outcome.good:
            return
    stamp.write_text(recipe)


def _python_of(venv: Path) -> str:
    return str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def _recipe(interpreter: str, sources: Iterable[Path]) -> str:
    """What a virtual environment was made from; another recipe, another environment."""
    digest = hashlib.sha256(interpreter.encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _interpreters() -> Iterator[tuple[str, str]]:
    """The other supported interpreters here, oldest first, as (version, path); pyenv's before those on PATH."""
    versions = _pyenv_root() / "versions"
    for version in SUPPORTED:
        if version == HERE:
            continue
        kept = sorted(versions.glob(f"{version}.*/bin/python"), key=_patch, reverse=True)
        on_path = shutil.which(f"python{version}")
        for candidate in [*map(str, kept), *([on_path] if on_path else [])]:
            if _is_python(candidate, version):
                yield version, candidate
                break


def _pyenv_root() -> Path:
    if shutil.which("pyenv"):
        answer = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return Path(answer.stdout.strip())
    return Path.home() / ".pyenv"


def _patch(python: Path) -> tuple[int, str]:
    """Orders 3.12.10 after 3.12.9; a name that is no number (3.13.0rc1, 3.13-dev) comes first."""
    patch = python.parent.parent.name.rpartition(".")[2]
    return (int(patch) if patch.isdecimal() else -1, patch)


def _is_python(candidate: str, version: str) -> bool:
    """Whether it runs, is that version (pyenv's shims often are not) and can make virtual environments."""
    probe = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version


def _summary(outcomes: Sequence[Outcome], seconds: float) -> int:
    """Print a line a step, then one that reads as pytest's own last line does, and give the exit code."""
    print("\n── summary")
    for outcome in outcomes:
        tests = f", {outcome.passed} passed, {outcome.failed} failed" if outcome.passed or outcome.failed else ""
        skips = f", {outcome.skipped} skipped" if outcome.skipped else ""
        print(f"{'ok  ' if outcome.good else 'FAIL'}  {outcome.name} ({outcome.seconds:.1f} s{tests}{skips})")
    good = all(outcome.good for outcome in outcomes)
    # A step that failed without failing a test (lint, a crash of pytest) counts as one failure.
    failed = sum(outcome.failed or int(not outcome.good) for outcome in outcomes)
    counts = {
        "failed": failed,
        "passed": sum(outcome.passed for outcome in outcomes),
        "skipped": sum(outcome.skipped for outcome in outcomes),
    }
    words = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    print(f"\n===== {words or 'no tests ran'} in {seconds:.2f}s =====")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
