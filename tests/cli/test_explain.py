"""`pfdoctor explain` for error codes and messages; for rules see test_rules.py."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import pfdoctor
from pfdoctor.core.access_codes import REASONS, VERDICTS

Run = Callable[..., Any]


class Stdin(NamedTuple):
    buffer: io.BytesIO


@pytest.fixture
def paste(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Put bytes on standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(data)))


@pytest.mark.parametrize("code", ["ResourceNotReady", "resourcenotready", "(ResourceNotReady)"])
def test_a_code(run: Run, code: str) -> None:
    ended = run("explain", code)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("ResourceNotReady\n  The container was started")
    assert "next: az ml online-deployment get-logs" in ended.out


def test_a_code_that_is_a_symptom_s(run: Run) -> None:
    ended = run("explain", "MissingDriverProgram")
    assert ended.code == 0
    assert "error[routes-missing]" in ended.out
    assert "pfdoctor check PATH" in ended.out


def test_a_status(run: Run) -> None:
    assert "ms-azureml-model-error-statuscode" in " ".join(run("explain", "424").out.split())


def test_a_message_in_quotes(run: Run) -> None:
    ended = run("explain", "ERROR: (BadRequest) The request is invalid: MissingDriverProgram")
    assert ended.code == 0
    assert "arm BadRequest" in ended.out
    assert "error[routes-missing]" in ended.out


def test_a_pasted_message(run: Run, paste: Callable[[bytes], None]) -> None:
    paste(
        b"The client 'a' with object id 'b' does not have authorization to perform action 'Microsoft.X/y/read' over "
        b"scope '/subscriptions/s'"
    )
    ended = run("explain", "-")
    assert ended.code == 0
    for part in ("authorization AuthorizationFailed", "action: Microsoft.X/y/read", "scope: /subscriptions/s"):
        assert part in ended.out


@pytest.mark.parametrize("data", [b"", b"all is well\n", b"\x89PNG\r\n\x1a\n\x00"])
def test_a_pasted_text_that_says_nothing(run: Run, paste: Callable[[bytes], None], data: bytes) -> None:
    paste(data)
    ended = run("explain", "-")
    assert (ended.code, ended.out) == (5, "")
    assert len(ended.err.splitlines()) == 1


def test_a_secret_in_a_pasted_message_stays_there(run: Run, paste: Callable[[bytes], None]) -> None:
    key = "0123456789abcdef" * 2
    paste(f"ValueError: MissingDriverProgram api_key={key}\n".encode())
    ended = run("explain", "-")
    assert ended.code == 0
    assert key not in ended.out


def test_a_terminal_gets_no_control_characters(run: Run, paste: Callable[[bytes], None]) -> None:
    paste(b"ValueError: MissingDriverProgram \x1b]0;owned\x07 \x07\x9b31m\n")
    assert not set(run("explain", "-").out) & {"\x1b", "\x07", "\x9b"}


@pytest.mark.parametrize("code", ["408", "424", "429", "503"])
def test_a_status_comes_with_its_rules(run: Run, code: str) -> None:
    ended = run("explain", code)
    assert ended.code == 0
    assert ended.out.startswith(f"{code}\n  The ") or ended.out.startswith(f"{code}\n  Too many")


@pytest.mark.parametrize("written", ["ROLE_LACKS_ACTION", "[role_lacks_action]", "not allowed", "ALLOWED_PENDING"])
def test_what_access_prints(run: Run, written: str) -> None:
    ended = run("explain", written)
    assert ended.code == 0
    assert ended.out.splitlines()[0] == written.strip("[]").upper().replace(" ", "_")


def test_every_code_of_the_permission_table_is_explained() -> None:
    source = Path(pfdoctor.__file__).parent / "core"
    texts = [*(source / "access").glob("*.py"), source / "derive" / "access.py"]
    codes = {
        found
        for file in texts
        if file.name != "codes.py"
        for found in re.findall(r'(?:Miss|Blame|_open|Decision)\((?:"\w+", )?"([A-Z_]+)"', file.read_text("utf-8"))
    }
    assert len(codes) > 15
    assert codes <= {one.code for one in (*VERDICTS, *REASONS)}
