"""The generated documents: complete, and the check notices what is stale."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from jsonschema import Draft202012Validator

from pfdoctor import catalog
from pfdoctor.core.example import run_examples

pytestmark = pytest.mark.once

README = "".join(
    ["before\n", *(f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in ("output", "demo", "rules")), "after\n"]
)


@pytest.fixture
def gen_docs(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_docs", root / "tools" / "gen_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path, root: Path, gen_docs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the two rules of tests/cli, with an atlas of three entries."""
    shutil.copytree(root / "tests" / "cli" / "rules", tmp_path / "rules")
    shutil.copytree(root / "rules" / "schema", tmp_path / "rules" / "schema")
    (tmp_path / "docs").mkdir()
    rule = tmp_path / "rules" / "deployment" / "count-zero.yaml"
    rule.write_text(rule.read_text("utf-8") + "covers: {atlas: [2], field: [Count of instances `zero`]}\n", "utf-8")
    entries = "- {number: 1, name: one, not_yet: needs logs}\n- {number: 2, name: two}\n"
    (tmp_path / "docs" / "atlas-entries.yaml").write_text(entries, "utf-8")
    (tmp_path / "docs" / "field-classes.yaml").write_text("- {name: count of instances zero, seen: 3}\n", "utf-8")
    (tmp_path / "README.md").write_text(README, "utf-8")
    monkeypatch.setattr(gen_docs, "ROOT", tmp_path)
    return tmp_path


def _run(gen_docs: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["gen_docs.py", *arguments])
    code = gen_docs.main()
    assert isinstance(code, int)
    return code


def test_it_writes_what_it_then_finds_in_order(
    gen_docs: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _run(gen_docs, monkeypatch, "--check") == 1
    assert _run(gen_docs, monkeypatch) == 0
    assert _run(gen_docs, monkeypatch, "--check") == 0
    coverage = (checkout / "docs" / "coverage.md").read_text("utf-8")
    assert "| 1 | one | not yet: needs logs |" in coverage
    assert "| 2 | two | [count-zero](rules/count-zero.md) |" in coverage
    assert "| count of instances zero | 3 | [count-zero](rules/count-zero.md) |" in coverage
    readme = (checkout / "README.md").read_text("utf-8")
    assert readme.startswith("before\n<!-- output -->\n```text\n$ pfdoctor check")
    assert "<!-- rules -->\n2 rules, " in readme
    assert readme.endswith("<!-- /rules -->\nafter\n")
    assert "MissingDriverProgram" in (checkout / "docs" / "rules" / "routes-missing.md").read_text("utf-8")


@pytest.mark.parametrize("path", ["docs/rules/routes-missing.md", "docs/rules/README.md", "docs/facts.md", "README.md"])
def test_what_is_stale_is_named(
    gen_docs: ModuleType,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
) -> None:
    _run(gen_docs, monkeypatch)
    text = (checkout / path).read_text("utf-8")
    (checkout / path).write_text(text.replace("routes", "roads").replace("flow", "brook"), "utf-8")
    capsys.readouterr()
    assert _run(gen_docs, monkeypatch, "--check") == 1
    assert f"stale: {path}\n" in capsys.readouterr().out


def test_the_page_of_a_rule_that_is_gone_is_removed(
    gen_docs: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(gen_docs, monkeypatch)
    orphan = checkout / "docs" / "rules" / "gone.md"
    orphan.write_text("", "utf-8")
    assert _run(gen_docs, monkeypatch, "--check") == 1
    assert _run(gen_docs, monkeypatch) == 0
    assert not orphan.exists()


def test_an_entry_that_nothing_covers_needs_a_reason(
    gen_docs: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkout / "docs" / "atlas-entries.yaml"
    path.write_text(path.read_text("utf-8") + "- {number: 3, name: three}\n", "utf-8")
    assert _run(gen_docs, monkeypatch) == 1
    assert "entry 3 (three): no rule covers it, and no not_yet says why\n" in capsys.readouterr().out


def test_the_atlas_has_its_165_entries(root: Path, gen_docs: ModuleType) -> None:
    entries = gen_docs.yaml.safe_load((root / "docs" / "atlas-entries.yaml").read_text("utf-8"))
    assert [entry["number"] for entry in entries] == list(range(1, 166))


def test_the_shipped_rules_are_valid_by_their_schema(root: Path) -> None:
    for name, is_symptom in (("rule", False), ("symptom", True)):
        schema = json.loads((root / "rules" / "schema" / f"{name}.schema.json").read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        for path in catalog.rule_files(root / "rules"):
            if (path.parent.name == "symptoms") is is_symptom:
                raw = catalog.read_rule_file(path)
                faults = [
                    f"{path.name}: {'.'.join(map(str, e.absolute_path))}: {e.message}"
                    for e in validator.iter_errors(raw)
                ]
                assert faults == []


def test_the_rule_to_copy_holds(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "writing-rules.md").read_text("utf-8")
    name, block = re.search(r"`my-rules/(deployment/[\w-]+\.yaml)`:\n\n```yaml\n(.*?)```", text, re.DOTALL).groups()  # type: ignore[union-attr]  # the page has it
    (tmp_path / "deployment").mkdir()
    (tmp_path / name).write_text(block)
    own = catalog.load_directory(tmp_path, catalog.load_full())
    (rule,) = own.rules.values()
    assert [one.fault for one in run_examples(rule, own)] == [None] * 4
