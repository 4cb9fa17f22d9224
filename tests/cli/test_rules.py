"""`pfdoctor rules` and `pfdoctor explain`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

EXPLAINED = """\
error[routes-missing] The environment has no routes
environment · certain

Without routes nobody is asked.

Applies when
  - deployment.kind is managed

True when
  - environment.inference_config is absent

Facts it reads
"""


def test_the_list_has_every_id_as_a_word(run: Run) -> None:
    ended = run("rules", "list")
    assert ended.code == 0
    assert {"routes-missing", "count-zero"} <= {word for line in ended.out.splitlines() for word in line.split()}


def test_the_list_for_programs(run: Run) -> None:
    document = json.loads(run("rules", "list", "--format", "json", "--select", "deployment/*").out)
    assert [one["rule"] for one in document["rules"]] == ["count-zero"]


def test_a_rule_is_shown_as_it_is_written(run: Run, rules: Path) -> None:
    text = (rules / "deployment" / "count-zero.yaml").read_text("utf-8")
    assert run("rules", "show", "count-zero").out == text
    assert json.loads(run("rules", "show", "deployment/count-zero", "-f", "json").out)["rule"] == "count-zero"
    assert run("rules", "show", "count-zeros").code == 2


def test_the_shipped_examples_hold(run: Run) -> None:
    ended = run("rules", "test")
    assert (ended.code, ended.out) == (0, "2 rules, 7 examples: all hold\n")
    assert "ok count-zero: none\n" in run("rules", "test", "-v").out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("expect: pass", "expect: confirmed", "FAIL my-rule: one: expected confirmed, came to pass"),
        ("instance_count: 1}", "instance_cuont: 1}", "FAIL my-rule: one: expected pass, came to unknown"),
        (
            "{instance_count: 1}",
            "{instance_count: 1, instance_cuont: 1}",
            "FAIL my-rule: one: facts: deployment: Additional properties are not allowed",
        ),
        ("tests:", "ignore_when: never\n#", "FAIL my-rule: no example (`tests:`)"),
    ],
)
def test_examples_of_one_s_own_that_do_not_hold(
    run: Run, rules: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (rules / "deployment" / "count-zero.yaml").read_text("utf-8")
    head, _, tests = text.partition("tests:")
    text = head if old == "tests:" else head + "tests:" + tests.replace(old, new, 1)
    (tmp_path / "my-rule.yaml").write_text(text, "utf-8")
    ended = run("rules", "test", tmp_path)
    assert ended.code == 1
    assert said in " ".join(ended.out.split())
    assert ended.out.endswith("1 failed\n")


def test_only_one_s_own_examples_are_run(run: Run, rules: Path, tmp_path: Path) -> None:
    shutil.copy(rules / "deployment" / "count-zero.yaml", tmp_path / "my-rule.yaml")
    ended = run("rules", "test", tmp_path)
    assert (ended.code, ended.out) == (0, "1 rule, 3 examples: all hold\n")
    assert run("rules", "test", tmp_path / "nowhere").code == 2


@pytest.mark.parametrize("name", ["routes-missing", "environment/routes-missing"])
def test_explain(run: Run, name: str) -> None:
    ended = run("explain", name)
    assert ended.code == 0
    assert ended.out.startswith(EXPLAINED)
    for part in (
        "“MissingDriverProgram”",
        "[safe] Add the routes",
        "set environment.inference_config to {scoring_route: {port: 8080, path: /score}}",
        "nobody deploys it.",
        "Kubernetes: not its business",
        "[documented] How to deploy",
        "https://example.org/deploy",
        "docs/rules/routes-missing.md",
    ):
        assert part in " ".join(ended.out.split()), part


@pytest.mark.parametrize("name", ["routes-mising", "environmnt/routes-missing", "", "deployment/routes-missing"])
def test_explain_what_is_not_there(run: Run, name: str) -> None:
    ended = run("explain", name)
    assert (ended.code, ended.out) == (2, "")
    assert "there is no rule" in ended.err


def test_explain_one_s_own_rule(run: Run, rules: Path, tmp_path: Path) -> None:
    shutil.copy(rules / "deployment" / "count-zero.yaml", tmp_path / "my-rule.yaml")
    assert "warning[my-rule]" in run("explain", "my-rule", "--rules", tmp_path).out
