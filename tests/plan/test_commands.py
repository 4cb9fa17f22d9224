"""`plan`, `apply`, `undo` and `check --fix` as a person runs them: output, exit codes, and what never leaves."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from pfdoctor.cli.main import main

DEPLOYMENT = "work/deploy/deployment.yml"
# obviously made up, and still of the form that Azure gives such keys
CANARY = "0123456789abcdef" * 2
VARIABLES = f"API_KEY: {CANARY}, APPLICATIONINSIGHTS_CONNECTION_STRING: InstrumentationKey-{CANARY}"
FAULTY = {
    "deploy/deployment.yml": [
        "request_timeout_ms: 90000, max_concurrent_requests_per_instance: 4}\nenvironment_variables: {",
        f"max_concurrent_requests_per_instance: 4}}\napi_key: {CANARY}\nenvironment_variables: {{{VARIABLES}, ",
    ],
    "flow/requirements.txt": f"--extra-index-url https://user:{CANARY}@feed.example.com/simple\npromptflow==1.17.2\n",
}

APPLIED = json.loads((Path(__file__).parents[2] / "docs/schema/applied.schema.json").read_text())

NO_PLACE = {
    "schema": "pfdoctor/plan/v1",
    "paths": ["nowhere"],
    "fixes": [],
    "steps": [],
    "not_planned": [],
    "forecast": None,
    "live": None,
}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, repository: Any) -> Callable[..., Ended]:
    monkeypatch.chdir(repository.root.parent)
    monkeypatch.setenv("XDG_STATE_HOME", str(repository.root.parent / "state"))
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def invoke(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(list(arguments))
        return Ended(code, *capsys.readouterr())

    return invoke


@pytest.fixture
def faulty(repository: Any) -> Any:
    return repository.write(FAULTY)


def test_plan_apply_undo(faulty: Any, run: Callable[..., Ended], root: Path) -> None:
    untouched = faulty.bytes()
    shown = run("plan", "work", "-o", "plan.json")
    assert shown.code == 0
    assert "fix[request-timeout-default]" in shown.out
    assert "+request_settings: {max_concurrent_requests_per_instance: 4, request_timeout_ms: 90000}" in shown.out
    assert "what-if" in shown.out
    assert "pfdoctor apply plan.json" in shown.err
    schema = json.loads((root / "docs" / "schema" / "plan.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(Path("plan.json").read_text("utf-8")))
    assert faulty.bytes() == untouched
    applied = run("apply", "plan.json", "--yes", "--fix-level", "review")
    assert applied.code == 0, applied.err
    assert "applied and verified" in applied.err
    assert faulty.bytes() != untouched
    assert run("apply", "plan.json", "--yes", "--fix-level", "review").code == 0
    undone = run("undo", "plan.json.journal")
    assert undone.code == 0
    assert "step 1 was undone" in undone.err
    assert faulty.bytes() == untouched
    assert "nothing to undo" in run("undo", "plan.json.journal").err


def test_no_secret_leaves(faulty: Any, run: Callable[..., Ended]) -> None:
    said = [
        run("plan", "work", "-v", "-o", "plan.json"),
        run("plan", "work", "-o", "-"),
        run("check", "work", "--diff"),
    ]
    said += [run("apply", "plan.json", "--dry-run"), run("apply", "plan.json", "--yes", "--fix-level", "review")]
    assert said[-1].code == 0, said[-1].err
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING" in said[0].out
    for ended in said:
        assert CANARY not in ended.out + ended.err
    assert CANARY not in Path("plan.json").read_text("utf-8")
    assert CANARY not in Path("plan.json.journal").read_text("utf-8")
    assert (faulty.root / "flow/requirements.txt").read_text().startswith(f"--extra-index-url https://user:{CANARY}@")
    assert CANARY not in run("undo", "plan.json.journal").err


def test_a_report_that_has_no_place_is_refused_before_anything_is_changed(
    faulty: Any, run: Callable[..., Ended]
) -> None:
    run("plan", "work", "-o", "plan.json")
    untouched = faulty.bytes()
    applied = run("apply", "plan.json", "--yes", "--fix-level", "review", "-o", "nowhere/out.json")
    assert applied.code == 2
    assert "nothing was changed" in applied.err
    assert faulty.bytes() == untouched
    assert not Path("plan.json.journal").exists()


def test_the_same_bytes(faulty: Any, run: Callable[..., Ended]) -> None:
    assert faulty.plan().steps
    assert run("plan", "work", "-o", "-").out == run("plan", "work", "-o", "-").out


@pytest.mark.parametrize(("change", "code"), [(FAULTY, 8), ({}, 0)])
def test_pending_changes_have_a_code(repository: Any, run: Callable[..., Ended], change: Any, code: int) -> None:
    repository.write(change)
    ended = run("plan", "work", "--rule", "deployment/*", "--detailed-exitcode", "--no-what-if")
    assert ended.code == code
    assert "what-if" not in ended.out


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("given", [(), ("--yes",), ("-y", "--fix-level", "safe"), ("--fix-level=safe", "--yes")])
def test_what_was_given_is_not_said_twice(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...]
) -> None:
    run("plan", "work", "-o", "plan.json")
    command = ("apply", "plan.json", *given)
    monkeypatch.setattr("sys.argv", ["pfdoctor", *command])
    applied = run(*command)
    assert applied.code == 8
    assert applied.err.splitlines()[-1] == "pfdoctor: next: pfdoctor apply plan.json --yes --fix-level review"


def test_what_is_printed_can_be_pasted(faulty: Any, run: Callable[..., Ended]) -> None:
    """Names with blanks are quoted in every command that is told."""
    untouched = faulty.bytes()
    planned = run("plan", "work", "--rule", "request-timeout-default", "-o", "the plan.json")
    (apply,) = [line.partition("apply it with: ")[2] for line in planned.err.splitlines() if "apply it with" in line]
    applied = run(*shlex.split(apply)[1:])
    undo = applied.err.splitlines()[-1].partition("1 fix applied and verified; take it back with: ")[2]
    assert (shlex.split(apply)[-1], shlex.split(undo)[-1]) == ("the plan.json", "the plan.json.journal")
    assert run(*shlex.split(undo)[1:]).code == 0
    assert faulty.bytes() == untouched


def test_what_is_mended_by_hand_is_told_by_a_command_that_runs(run: Callable[..., Ended]) -> None:
    broken = Path(__file__).parents[2] / "examples" / "broken"
    shutil.copytree(broken, "the broken one")
    (told,) = [line for line in run("plan", "the broken one").out.splitlines() if "mended by hand" in line]
    assert told.endswith("are mended by hand: pfdoctor check 'the broken one' says how")


def test_a_reference_was_what_is_written(repository: Any) -> None:
    repository.write({"flow/flow.dag.yaml": ['reference: "${llm.output}"', 'reference: "${lm.output}"']})
    (step,) = repository.plan("output-reference-missing").steps
    assert step.title == "set outputs.answer.reference to ${llm.output} (was ${lm.output})"


def test_without_a_terminal_only_what_is_safe_runs(faulty: Any, run: Callable[..., Ended]) -> None:
    run("plan", "work", "-o", "plan.json")
    applied = run("apply", "plan.json", "-o", "came.json")
    assert applied.code == 8
    assert "left out: [review] promptflow-pinned-on-runtime-image" in applied.err
    assert applied.err.splitlines()[-1] == "pfdoctor: next: pfdoctor apply plan.json --yes --fix-level review"
    assert "request_timeout_ms: 90000" in (faulty.root / "deploy/deployment.yml").read_text()
    assert "promptflow==1.17.2" in (faulty.root / "flow/requirements.txt").read_text()
    came = json.loads(Path("came.json").read_text())
    jsonschema.validate(came, APPLIED)
    assert came["exit_code"] == 8
    assert {(one["level"], one["state"]) for one in came["fixes"]} == {("safe", "effective"), ("review", "left-out")}
    # --yes alone answers for what is safe, which is there by now
    again = run("apply", "plan.json", "--yes")
    assert (again.code, "nothing was applied" in again.err) == (8, True)
    assert run("apply", "plan.json", "--yes", "--fix-level", "review").code == 0
    # now that all is there, nobody need be asked
    assert run("apply", "plan.json").code == 0


def test_at_a_terminal_it_asks(faulty: Any, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    run("plan", "work", "--rule", "promptflow-pinned-on-runtime-image", "-o", "plan.json")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    refused = run("apply", "plan.json")
    assert refused.code == 0
    assert "apply it?" in refused.err
    assert "promptflow==1.17.2" in (faulty.root / "flow/requirements.txt").read_text()
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert "1 fix applied and verified" in run("apply", "plan.json").err


def test_a_dry_run_changes_nothing(faulty: Any, run: Callable[..., Ended]) -> None:
    untouched = faulty.bytes()
    run("plan", "work", "-o", "plan.json")
    assert "+++ b/deploy/deployment.yml" in run("apply", "plan.json", "--dry-run").out
    assert faulty.bytes() == untouched
    assert not Path("plan.json.journal").exists()


def test_a_stale_plan_is_7(faulty: Any, run: Callable[..., Ended]) -> None:
    assert faulty.plan("request-timeout-default").steps
    run("plan", "work", "-o", "plan.json")
    with Path(DEPLOYMENT).open("a", encoding="utf-8") as file:
        file.write("description: mine\n")
    ended = run("apply", "plan.json")
    assert ended.code == 7
    assert "deploy/deployment.yml was changed since the plan was made: its content hash was" in ended.err
    assert "nothing was changed: plan again" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("{}", "is no plan"),
        ('{"schema": "pfdoctor/plan/v1"}', "does not have the shape of a plan"),
        (json.dumps(NO_PLACE), "is for nowhere, which is not here"),
    ],
)
def test_what_is_no_plan_is_said(run: Callable[..., Ended], text: str, said: str) -> None:
    Path("plan.json").write_text(text)
    ended = run("apply", "plan.json")
    assert ended.code == 2
    assert said in ended.err


OWN = """
title: Not {count} instances
category: deployment
severity: warning
confidence: certain
subject: deployment
at: deployment.instance_count
explanation: |
  The team's own.
when: {{not: {{fact: deployment.instance_count, equals: {count}}}}}
message: "{{deployment.instance_count}} instances, {count} expected"
remedies:
  - title: Make it {count}
    level: safe
    actions:
      - set: {{fact: deployment.instance_count, value: {count}}}
references:
  - {{title: The team, url: "https://contoso.example/team", grade: documented}}
tests:
  - name: another number
    facts: {{deployment: {{instance_count: 9}}}}
    expect: latent
  - name: the number
    facts: {{deployment: {{instance_count: {count}}}}}
    expect: pass
  - name: nothing known
    facts: {{}}
    expect: unknown
"""


@pytest.mark.usefixtures("run")
def test_what_is_the_same_is_merged_and_what_conflicts_refused_with_the_reason(faulty: Any) -> None:
    assert faulty.bytes()
    for name, count in {"own-a": 2, "own-b": 2, "own-c": 3}.items():
        path = Path("own", "deployment", f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(OWN.format(count=count))
    plans = []
    for seed in ("1", "2"):
        # the same facts, the same bytes, whatever the order of sets in the process
        command = [sys.executable, "-m", "pfdoctor", "plan", "work", "--rules", "own", "-o", "plan.json"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, capture_output=True, timeout=60, check=True, env=environment)
        plans.append(Path("plan.json").read_bytes())
    assert plans[0] == plans[1]
    plan = json.loads(plans[0])
    mine = {fix["rule"]: fix["steps"] for fix in plan["fixes"] if fix["rule"].startswith("own-")}
    # what one fix does for another finding as well is done once
    assert sorted(mine) == ["own-a"]
    assert {"own-a", "own-b"} <= {one["rule"] for one in plan["forecast"]["solved"]}
    (refused,) = (one for one in plan["not_planned"] if one["rule"] == "own-c")
    assert refused["reason"] == "it conflicts with the fix of own-a: set instance_count to 2 (was 1)"


def test_nothing_to_plan_for_is_5(run: Callable[..., Ended]) -> None:
    Path("empty").mkdir()
    assert run("plan", "empty").code == 5


def test_check_fixes(faulty: Any, run: Callable[..., Ended]) -> None:
    untouched = faulty.bytes()
    diff = run("check", "work", "--diff")
    assert diff.code == 1
    assert "request_timeout_ms: 90000" in diff.out
    assert faulty.bytes() == untouched
    fixed = run("check", "work", "--fix", "--exit-zero")
    assert fixed.code == 0, fixed.err
    assert "fixed: request-timeout-default" in fixed.err
    assert "request-timeout-default" not in fixed.out
    journal = fixed.err.rpartition("pfdoctor undo ")[2].strip()
    assert run("undo", journal).code == 0
    assert faulty.bytes() == untouched
    both = run("check", "work", "--fix", "--fix-level", "review", "--yes", "--select", "requirements/*")
    assert "fixed: promptflow-pinned-on-runtime-image" in both.err
    assert "request_timeout_ms: 90000" not in (faulty.root / "deploy/deployment.yml").read_text()
    assert run("check", "--fix", "--facts", "facts.json").code == 2


READER = """
import sys
from pfdoctor.cli.main import main
for arguments in (["check", "work"], ["plan", "work", "-o", "plan.json"], ["check", "work", "--diff"]):
    main(arguments)
print([name for name in sys.modules if name.startswith("pfdoctor.apply")])
"""


def test_what_only_reads_does_not_even_load_what_writes(faulty: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READER], cwd=faulty.root.parent, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
