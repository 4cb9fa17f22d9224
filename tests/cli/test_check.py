"""`pfdoctor check`: what it prints where, and what it ends with."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.cli.progress import Bar

BROKEN_TEXT = """\
deployment.yml (deployment)

error[routes-missing] the environment pf has no inference_config
                                                                latent · certain
  --> deployment.yml:4:3
   4 |   environment: pf
     |   ^^^^^^^^^^^
  seen    environment.inference_config = (none) (deployment.yml:4)
          deployment.kind = managed
  fix     [safe] Add the routes
            deployment.yml:4: add inference_config: {scoring_route: {port: 8080,
              path: /score}}
  docs    https://github.com/pfdoctor/pfdoctor/blob/main/docs/rules/routes-missing.md

warning[count-zero] instance_count of blue is 0               confirmed · likely
  --> deployment blue
  seen    deployment.instance_count = 0
  docs    https://github.com/pfdoctor/pfdoctor/blob/main/docs/rules/count-zero.md

2 rules: 0 pass, 2 findings (1 error, 1 warning), 0 unknown, 0 not applicable
· exit 1 (findings at or above error)
"""

Run = Callable[..., Any]


def test_the_text(folder: Any, run: Run) -> None:
    ended = run("check", "somewhere")
    assert (ended.code, ended.out, ended.err) == (1, BROKEN_TEXT, "")
    assert folder.asked == ["somewhere"]


def test_the_json_is_the_same_every_time(run: Run) -> None:
    first, second = run("check", ".", "-f", "json"), run("check", "elsewhere", "--format", "json")
    assert first == second
    assert json.loads(first.out)["summary"]["exit_code"] == first.code == 1


def test_the_current_folder_is_the_default(folder: Any, run: Run) -> None:
    run("check")
    assert folder.asked == ["."]


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((), 1),
        (("--fail-on", "never"), 0),
        (("--exit-zero",), 0),
        (("--ignore", "routes-missing"), 0),
        (("--ignore", "routes-missing", "--fail-on", "warning"), 1),
        (("--ignore", "routes-missing,count-zero"), 0),
        (("--ignore", "environment/*"), 0),
        (("--select", "deployment/*"), 0),
        (("--select", "deployment/count-zero", "--extend-select", "routes-missing"), 1),
        (("--select", "*", "--ignore", "*-missing", "--fail-on", "info"), 1),
        (("--severity-min", "error", "--ignore", "routes-missing", "--fail-on", "info"), 0),
        (("--confidence-min", "certain", "--ignore", "routes-missing", "--fail-on", "info"), 0),
        (("--select", "routes-mising"), 2),
        (("--ignore", "environment"), 2),
        (("--select", "nothing/*"), 2),
        (("--fail-on", "errors"), 2),
        (("--format", "yaml"), 2),
        (("--no-such-flag",), 2),
        (("--facts", "nowhere.json"), 2),
        (("--rules", "nowhere"), 2),
        (("-f", "text", "-f", "json"), 2),
        (("-f", "text", "-f", "json", "-o", "-"), 2),
        (("-f", "text", "-f", "json", "-o", "-", "-o", "-"), 2),
        (("-o", "no/such/folder/report.txt"), 2),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_exit_codes_do_not_depend_on_the_format(run: Run, flags: tuple[str, ...], code: int, form: str) -> None:
    formats = () if {"-f", "--format"} & set(flags) else ("--format", form)
    ended = run("check", ".", *flags, *formats)
    assert ended.code == code
    assert "Traceback" not in ended.err
    if code == 2:
        assert ended.err
        assert ended.out == ""


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--select", "routes-mising"), "there is no rule 'routes-mising'; did you mean 'routes-missing'?"),
        (("--ignore", "environment"), "there is no rule 'environment'; did you mean 'environment/*'?"),
        (("--select", "environment/routes-mising"), "did you mean 'routes-missing'?"),
        (("--fail-on", "eror"), "--fail-on eror: it is one of error, warning, info, never; did you mean 'error'?"),
        (("-f", "json", "-f", "text"), "2 --format and 0 --output"),
        (("--facts", "x.json"), "--facts replays a snapshot, so it takes no PATH"),
    ],
)
def test_usage_errors_are_one_line_that_helps(run: Run, flags: tuple[str, ...], said: str) -> None:
    ended = run("check", ".", *flags)
    assert ended.err.startswith("pfdoctor: error: ")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_every_format_to_its_own_output(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    ended = run("check", ".", "-f", "json", "-o", target, "-f", "text", "-o", "-", "--color", "never")
    assert ended.out == BROKEN_TEXT
    assert json.loads(target.read_text("utf-8"))["schema"] == "pfdoctor/report/v1"


def test_a_dash_is_no_path(run: Run) -> None:
    ended = run("check", "-")
    assert (ended.code, ended.out) == (2, "")
    assert "--files-from -" in ended.err


def _stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data)))


@pytest.mark.parametrize("data", [b"a b\nc\n", b"a b\r\n\r\nc", b"a b\0c\0"])
def test_a_list_of_paths_on_stdin(folder: Any, run: Run, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    _stdin(monkeypatch, data)
    run("check", "first", "--files-from", "-")
    assert folder.asked == ["first", "a b", "c"]


def test_an_empty_list_of_paths_is_not_the_current_folder(folder: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("")
    folder.holds()
    ended = run("check", "--files-from", tmp_path / "list")
    assert folder.asked == []
    assert ended.code == 5


def test_a_list_that_is_not_there(run: Run) -> None:
    ended = run("check", "--files-from", "nowhere")
    assert ended.code == 2
    assert ended.err == "pfdoctor: error: cannot read --files-from nowhere: No such file or directory\n"


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_to_examine(folder: Any, run: Run, form: str) -> None:
    folder.holds(problems=[{"path": "nowhere", "problem": "missing", "detail": "no such file or folder"}])
    ended = run("check", "nowhere", "--format", form)
    assert ended.code == 5
    assert "nothing to examine" in ended.err
    assert "nowhere: no such file or folder" in (ended.out if form == "text" else ended.err)


def test_unknown_verdicts_fail_only_if_asked(folder: Any, run: Run, undecided: Any) -> None:
    folder.holds(undecided)
    assert run("check", ".").code == 0
    ended = run("check", ".", "--fail-on-unknown")
    assert ended.code == 6
    assert "  2 rules: no deployment: look\n" in ended.out
    assert run("check", ".", "--fail-on-unknown", "--exit-zero").code == 0


def test_flags_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PFDOCTOR_IGNORE", "routes-missing count-zero")
    monkeypatch.setenv("PFDOCTOR_FORMAT", "json")
    ended = run("check", ".")
    assert json.loads(ended.out)["summary"]["rules"] == 0
    monkeypatch.setenv("PFDOCTOR_EXIT_ZERO", "1")
    assert run("check", ".", "--ignore", "count-zero").code == 0
    monkeypatch.setenv("PFDOCTOR_FAIL_ON", "sometimes")
    assert run("check", ".").code == 2


@pytest.mark.parametrize(
    ("flags", "environment", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"CLICOLOR_FORCE": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ((), {"FORCE_COLOR": "0"}, False),
        ((), {"PFDOCTOR_COLOR": "always"}, True),
    ],
)
def test_colour(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    flags: tuple[str, ...],
    environment: dict[str, str],
    coloured: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in run("check", ".", *flags).out) is coloured


def test_quiet_and_stat(run: Run) -> None:
    quiet = run("check", ".", "-q").out
    assert "error[routes-missing]" in quiet
    assert "exit 1" not in quiet
    stat = run("check", ".", "--stat").out
    assert "     1  error   routes-missing  The environment has no routes\n" in stat
    assert "-->" not in stat


def test_the_retirement_is_told_once_and_only_where_there_is_a_flow(folder: Any, run: Run, make_case: Any) -> None:
    flow = {"flow": {"kind": "prompty"}}
    folder.holds(make_case("a", flow), make_case("b", flow))
    assert run("check", ".").out.count("2027-04-20") == 1
    assert len(json.loads(run("check", ".", "-f", "json").out)["notices"]) == 1
    folder.holds(make_case("a", {"flow": None}))
    assert "2027" not in run("check", ".").out


def test_one_s_own_rules(run: Run, rules: Path, tmp_path: Path) -> None:
    text = (rules / "deployment" / "count-zero.yaml").read_text("utf-8")
    own = tmp_path / "own"
    own.mkdir()
    (own / "my-rule.yaml").write_text(text.replace("instance_count of {deployment.name} is 0", "mine"), "utf-8")
    ended = run("check", ".", "--rules", own)
    assert "warning[my-rule] mine" in ended.out
    assert "3 rules" in ended.out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("severity: warning", "severity: 3", ":3: 3 is none of info, warning, error"),
        ("title: The deployment has no instance", "title: [a]", ":1: title: ['a'] is not of type 'string'"),
        ("tests:", "related: 5\ntests:", ":10: related: 5 is not of type 'array'"),
        ("message:", "massage: x\nmessage:", ":8: unknown key 'massage'; did you mean 'message'?"),
        (
            "deployment.instance_count, equals",
            "deployment.instance_cuont, equals",
            "did you mean 'deployment.instance_count'",
        ),
        ("{deployment.name}", "{deployment.nam}", "did you mean 'deployment.name'"),
        ("title:", "\ttitle:", ":1: "),
    ],
)
def test_a_fault_in_one_s_own_rule_has_file_and_line(
    run: Run, rules: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (rules / "deployment" / "count-zero.yaml").read_text("utf-8")
    path = tmp_path / "my-rule.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    ended = run("check", ".", "--rules", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert str(path) in ended.err
    assert "Traceback" not in ended.err


def test_an_internal_error_is_one_line_and_a_log_without_data(
    folder: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["pfdoctor", "check", "sk-secret", "--select=sk-secret", "-osk-secret"])
    folder.error = ValueError("the value sk-secret")
    ended = run("check", ".")
    assert (ended.code, ended.out) == (3, "")
    (log,) = (tmp_path / "pfdoctor").iterdir()
    assert str(log) in ended.err
    assert ended.err.count("\n") == 1
    text = log.read_text("utf-8")
    assert "sk-secret" not in text + ended.err
    assert "ValueError" in text
    assert "command: check --select -o" in text
    if os.name != "nt":
        assert log.stat().st_mode & 0o077 == 0


def test_an_internal_error_without_a_place_for_its_log(
    folder: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    folder.error = ValueError()
    ended = run("check", ".")
    assert ended.code == 3
    assert "could not be written" in ended.err


def test_interrupted(folder: Any, run: Run) -> None:
    folder.error = KeyboardInterrupt()
    ended = run("check", ".")
    assert (ended.code, ended.out, ended.err) == (130, "", "")


def test_a_bar_counts_what_passes_through(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar(wanted=True)
    assert list(bar.over("abc", 3)) == ["a", "b", "c"]
    bar.close()
    assert capsys.readouterr().err == ""


def test_a_bar_is_drawn_on_a_terminal_for_many_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    few = Bar(wanted=True)
    assert len(list(few.over(range(5), 5))) == 5
    few.close()
    assert screen.getvalue() == ""
    many = Bar(wanted=True)
    assert len(list(many.over(range(60), 60))) == 60
    many.close()
    assert "checking" in screen.getvalue()
    assert "60/60" in screen.getvalue()


class Screen(StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True
