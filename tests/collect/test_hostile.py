"""Input that somebody made to hurt: it ends in a finding or an unknown, quickly, and shows nothing it should not."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.cli.main import main
from pfdoctor.yaml_document import Dialect, read

TOOL = "from promptflow.core import tool\n\n@tool\ndef n(q: str = ''):\n    return q\n"
FLOW = """\
inputs: {{}}
outputs: {{}}
nodes:
- name: n
  type: python
  source: {{type: code, path: {path}}}
  inputs: {{q: {value}}}
"""
SECRET = "sk-abcdefghijklmnopqrstT3BlbkFJ1234567890abcdefghijkl"


def flow(folder: Path, path: str = "n.py", value: str = "x") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "flow.dag.yaml").write_text(FLOW.format(path=path, value=value))
    (folder / "n.py").write_text(TOOL)
    return folder


def report(folder: Path, target: Path) -> tuple[int, Any]:
    code = main(["check", str(folder), "--format", "json", "-o", str(target)])
    return code, json.loads(target.read_text())


@pytest.mark.parametrize("key", ["$unknown", "$incomplete", "$at", "$file", "$from"])
@pytest.mark.parametrize("value", ["{{code: a, detail: b, api_key: {0}}}", "1", "{{}}", "[1]", "../../etc/passwd"])
def test_the_keys_that_facts_use_are_nobody_s_to_set(tmp_path: Path, key: str, value: str) -> None:
    body = f'{{"{key}": {value.format(SECRET)}}}' if value.startswith("{{") else f'{{"{key}": {value}}}'
    code, _ = report(flow(tmp_path / "f", value=body), tmp_path / "r.json")
    assert code in (0, 1)
    main(["facts", str(tmp_path / "f"), "-o", str(tmp_path / "s.json")])
    assert SECRET not in (tmp_path / "s.json").read_text()
    assert SECRET not in (tmp_path / "r.json").read_text()


@pytest.mark.parametrize(
    "name", ["requirements.txt", "flow.dag.yaml", "samples.json", ".env", "deployment.yaml", "n.py"]
)
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    folder = flow(tmp_path / "f")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert report(folder, tmp_path / "r.json")[0] in (0, 1)


def test_merge_keys_do_not_multiply() -> None:
    text = "x0: &x0 {}\n" + "".join(
        f"x{i}: &x{i} {{<<: [*x{i - 1}, *x{i - 1}, *x{i - 1}, *x{i - 1}]}}\n" for i in range(1, 40)
    )
    assert read(text, Dialect.AZURE)[0].value["x39"] == {}


def test_a_merge_cycle_ends() -> None:
    assert read("inputs: &a\n  <<: {<<: *a}\n  x: 1\n", Dialect.FLOW)[0].value == {"inputs": {"x": 1}}


@pytest.mark.parametrize("number", ["0x" + "f" * 5_000, "1" * 5_000, "1:" * 2_000 + "1", "0o" + "7" * 9_000])
def test_an_enormous_number_is_a_text(number: str) -> None:
    for dialect in Dialect:
        assert read(f"a: {number}\n", dialect)[0].value == {"a": number}


@pytest.mark.parametrize("path", ["a" * 300 + ".py", '"a\\0b.py"', "a/" * 3_000 + "b.py"])
def test_a_path_that_no_file_system_takes_is_a_missing_file(tmp_path: Path, path: str) -> None:
    code, found = report(flow(tmp_path / "f", path=path), tmp_path / "r.json")
    assert code in (0, 1)  # a name with a NUL lies nowhere, which nobody can prove to be an error
    assert any(one["rule"].startswith("node-source") for one in found["findings"])


@pytest.mark.parametrize("pattern", ["!", "[z-a]", "\\", "z\\"])
def test_a_broken_ignore_pattern_is_unknown(tmp_path: Path, pattern: str) -> None:
    folder = flow(tmp_path / "f")
    (folder / ".amlignore").write_text(pattern + "\n")
    code, found = report(folder, tmp_path / "r.json")
    assert code == 0
    assert "file-ignored-by-upload" not in {one["rule"] for one in found["findings"]}


@pytest.mark.parametrize("kind", ["[list]", "{items: 1}", "[null]"])
def test_a_type_of_another_shape(tmp_path: Path, kind: str) -> None:
    folder = flow(tmp_path / "f")
    text = (
        (folder / "flow.dag.yaml")
        .read_text()
        .replace("inputs: {}\n", f"inputs: {{q: {{type: {kind}, default: 1}}}}\n", 1)
    )
    (folder / "flow.dag.yaml").write_text(text)
    assert report(folder, tmp_path / "r.json")[0] == 1


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    flow(folder, path="missing.py")
    assert report(tmp_path, tmp_path / "r.json")[0] == 1


@pytest.mark.parametrize("value", ['"x"', "null", "[1]", '{"$incomplete": 1}', '{"$unknown": {}}'])
def test_an_edited_snapshot_is_refused_or_replayed(tmp_path: Path, value: str) -> None:
    main(["facts", str(flow(tmp_path / "f")), "-o", str(tmp_path / "s.json")])
    snapshot = json.loads((tmp_path / "s.json").read_text())
    snapshot["cases"][0]["declared"]["flow"]["nodes"][0] = json.loads(value)
    (tmp_path / "s.json").write_text(json.dumps(snapshot))
    assert main(["check", "--facts", str(tmp_path / "s.json"), "-o", str(tmp_path / "out.txt")]) in (0, 1, 2)


def test_requirements_that_include_each_other_end_in_a_finding(tmp_path: Path) -> None:
    folder = flow(tmp_path / "f")
    (folder / "requirements.txt").write_text("promptflow\n-r base.txt\n-r more.txt\n")
    (folder / "base.txt").write_text("-r requirements.txt\n-r more.txt\n")
    (folder / "more.txt").write_text("jinja2\n")
    _, found = report(folder, tmp_path / "r.json")
    cyclic = [one for one in found["findings"] if one["rule"] == "requirements-include-cyclic"]
    assert [one["message"].split()[0] for one in cyclic] == ["requirements.txt"]


def test_requirements_from_elsewhere_are_unknown_and_show_no_password(tmp_path: Path) -> None:
    folder = flow(tmp_path / "f")
    (folder / "requirements.txt").write_text(
        f"promptflow==1.18.5\n-r https://user:{SECRET}@example.com/r.txt\n-r ${{HOME}}/r.txt\n-c https://example.com/c.txt\n"
        "-c missing.txt\n-c there.txt\n"
    )
    (folder / "there.txt").write_text("promptflow==1.18.5\n")
    _, found = report(folder, tmp_path / "r.json")
    missing = [one["line"] for one in found["findings"] if one["rule"] == "requirements-include-missing"]
    assert missing == [5]
    main(["facts", str(folder), "-o", str(tmp_path / "s.json")])
    assert SECRET not in (tmp_path / "s.json").read_text() + (tmp_path / "r.json").read_text()


def test_a_secret_that_is_a_key_is_not_shown(tmp_path: Path) -> None:
    folder = flow(tmp_path / "f", value=f"{{{SECRET}: [{{{SECRET}: 1}}]}}")
    file = folder / "flow.dag.yaml"
    text = file.read_text().replace("inputs: {}\n", f"inputs: {{q: {{type: object, default: {{{SECRET}: 1}}}}}}\n", 1)
    file.write_text(f"{text}environment_variables: {{{SECRET}: 1}}\n")
    report(folder, tmp_path / "r.json")
    main(["facts", str(folder), "-o", str(tmp_path / "s.json")])
    assert SECRET not in (tmp_path / "s.json").read_text() + (tmp_path / "r.json").read_text()


def test_a_file_in_a_folder_that_cannot_be_listed_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = flow(tmp_path / "f", path="closed/deep/n.py")
    assert report(folder, tmp_path / "r.json")[0] == 1
    (folder / "closed").mkdir()
    assert report(folder, tmp_path / "r.json")[0] == 1
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        # root may list every folder, so the system's refusal is played
        if os.fspath(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    code, found = report(folder, tmp_path / "r.json")
    assert code == 0
    assert not [one for one in found["findings"] if one["rule"].startswith("node-source")]
