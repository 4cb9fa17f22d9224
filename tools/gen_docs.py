"""Writes the documentation that follows from the code: a page a rule, the tables, the facts, the command line.

    python tools/gen_docs.py           write what has changed
    python tools/gen_docs.py --check   write nothing; exit 1 and name every stale file

Made from rules/, docs/atlas-entries.yaml, docs/field-classes.yaml and the commands themselves.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
import yaml

from pfdoctor import catalog
from pfdoctor.cli import COMMANDS
from pfdoctor.cli.main import app
from pfdoctor.cli.run import Run
from pfdoctor.collect.folder import scan
from pfdoctor.core.model import Severity
from pfdoctor.core.rule import Catalogue, Rule
from pfdoctor.report.explain import page
from pfdoctor.report.style import plain
from pfdoctor.report.summary import Gate
from pfdoctor.report.text import Layout, render

ROOT = Path(__file__).resolve().parent.parent
ATLAS = "the failure atlas, our [list of known ways to fail](atlas-entries.yaml),"
SCREEN = 52
SEVERITIES = ("error[", "warning[", "info[")
FOOTER = re.compile(r"\d+ rules: ")
TOOK = re.compile(r" in [\d.]+ m?s\b")
GENERATED = "<!-- Made by tools/gen_docs.py. Edit the rules or the tool, not this file. -->\n\n"

FACTS = (
    "Everything that a rule may ask about. Both views of a case, what files declare and what runs in Azure, have this "
    "one shape. `[]` stands for each element of a list, `.*` for each entry of a free map. Null means observed to be "
    "absent; what nobody could look at is unknown, never null."
)
FIELD_DATA = (
    "Classes of defects found in 76 public repositories (505 flows, 89 deployments), with the number of times each was "
    "seen, and the rules that find them."
)

# a class of field data may be told in a rule with other quotes or fewer words than the list has
_SAME_CLASS = 0.6


def main() -> int:
    """Write or check every document; 1 if one is stale or the sources leave a gap."""
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__)
        return 2
    catalogue = catalog.load_directory(ROOT / "rules")
    wanted, faults = documents(ROOT, catalogue)
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    orphans = [path for path in sorted((ROOT / "docs" / "rules").glob("*.md")) if path not in wanted]
    for path in stale + orphans:
        print(f"{'stale' if check else 'written' if path in wanted else 'removed'}: {path.relative_to(ROOT)}")
        if check:
            continue
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    for fault in faults:
        print(fault)
    if check and (stale or orphans):
        print("run `python tools/gen_docs.py`")
    return 1 if faults or (check and (stale or orphans)) else 0


def documents(root: Path, catalogue: Catalogue) -> tuple[dict[Path, str], list[str]]:
    """Every generated document with its text, and the gaps in what they are made from."""
    docs = root / "docs"
    rules = [rule for _, rule in sorted(catalogue.rules.items())]
    coverage, faults = _coverage(docs, rules)
    wanted = {docs / "rules" / f"{rule.id}.md": GENERATED + page(rule, catalogue) for rule in rules}
    wanted[docs / "rules" / "README.md"] = GENERATED + _rule_tables(rules)
    wanted[docs / "facts.md"] = GENERATED + _facts(
        json.loads((root / "rules" / catalog.SCHEMA_FILE).read_text("utf-8"))
    )
    wanted[docs / "cli.md"] = GENERATED + _command_line()
    wanted[docs / "coverage.md"] = GENERATED + coverage
    readme = root / "README.md"
    text = readme.read_text("utf-8")
    blocks = {"rules": _readme_block(rules), "output": _example_output(root, catalogue), "demo": _demo_output()}
    for name, block in blocks.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if start in text and end in text:
            before, _, rest = text.partition(start)
            text = f"{before}{start}\n{block}{end}{rest.partition(end)[2]}"
        else:
            faults.append(f"README.md has no {start} … {end}")
    wanted[readme] = text
    return wanted, faults


# ------------------------------------------------------------------------------------------------------------- rules


def _by_category(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    grouped: dict[str, list[Rule]] = {}
    for rule in rules:
        grouped.setdefault(rule.category, []).append(rule)
    return dict(sorted(grouped.items()))


def _rule_tables(rules: list[Rule]) -> str:
    parts = [f"# Rules\n\n{len(rules)} rules, by category. `pfdoctor explain RULE` says the same at the terminal."]
    for category, members in _by_category(rules).items():
        rows = [
            f"| [{one.id}]({one.id}.md) | {one.severity} | {one.confidence} | {cell(one.title)} |" for one in members
        ]
        parts.append(
            "\n".join(
                [f"## {category}\n", "| rule | severity | confidence | what is wrong |", "|---|---|---|---|", *rows]
            )
        )
    return "\n\n".join(parts) + "\n"


def _readme_block(rules: list[Rule]) -> str:
    rows = [
        f"| [{category}](docs/rules/README.md#{category}) | {len(members)} | "
        f"{sum(one.severity is Severity.ERROR for one in members)} | {cell(members[0].title)} |"
        for category, members in _by_category(rules).items()
    ]
    head = f"{len(rules)} rules, [listed with their titles](docs/rules/README.md):\n"
    return "\n".join([head, "| about | rules | errors | for example |", "|---|---|---|---|", *rows]) + "\n"


def _example_output(root: Path, catalogue: Catalogue) -> str:
    """What `check` really says of the broken example: as many of its findings as fit one screen, and the last line."""
    scans, problems = scan([root / "examples" / "broken"])
    run = Run(catalogue, tuple(catalogue.rules.values()))
    report = run.report([run.examine(facts) for one in scans for facts in one.cases()], problems)
    printed = plain(render(report, Gate(), Layout(80))).splitlines()
    starts = [index for index, line in enumerate(printed) if line.startswith(SEVERITIES)]
    # the whole of the findings that fit, never a part of one
    cut = next((index for index in reversed(starts) if index <= SCREEN), len(printed))
    last = next(index for index, line in enumerate(printed) if " rules: " in line)
    shown = [*printed[:cut], "…", "", *printed[last:]]
    return "\n".join(["```text", "$ pfdoctor check examples/broken", *shown, "```"]) + "\n"


@cache
def _demo_output() -> str:
    """What `demo` really says of its first scenario: its findings, the beginning of the differential, the last line."""
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "pfdoctor", "demo", "--no-progress"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()
    # how long an answer took is another time in every run, and with it where the line breaks
    answers = next(index for index, line in enumerate(printed) if line.startswith("  answers"))
    while printed[answers + 1].startswith(" " * 12):
        printed[answers] += f" {printed.pop(answers + 1).strip()}"
    printed[answers] = TOOK.sub("", printed[answers])
    seen = printed.index("seen in the logs")
    ruled_out = next(index for index in range(seen, len(printed)) if "ruled out" in printed[index])
    last = next(index for index, line in enumerate(printed) if FOOTER.match(line))
    shown = [*printed[: ruled_out + 4], "      …", "", *printed[last:]]
    return "\n".join(["```text", "$ pfdoctor demo", *shown, "```"]) + "\n"


# ---------------------------------------------------------------------------------------------------------- coverage


def _coverage(docs: Path, rules: list[Rule]) -> tuple[str, list[str]]:
    faults: list[str] = []
    entries = yaml.safe_load((docs / "atlas-entries.yaml").read_text("utf-8"))
    by_number: dict[int, list[str]] = {entry["number"]: [] for entry in entries}
    for rule in rules:
        for number in rule.wording.covers.get("atlas", []):
            if number in by_number:
                by_number[number].append(rule.id)
            else:
                faults.append(f"{rule.id}: covers.atlas: there is no entry {number}")
    rows = []
    for entry in entries:
        covering = by_number[entry["number"]]
        if not covering and not entry.get("not_yet"):
            faults.append(f"entry {entry['number']} ({entry['name']}): no rule covers it, and no not_yet says why")
        rows.append(f"| {entry['number']} | {entry['name']} | {_covered(covering, entry)} |")
    covered = sum(1 for names in by_number.values() if names)
    classes, seen_in_field = _field_rows(docs, rules, faults)
    parts = [
        "# Coverage",
        f"{covered} of the {len(entries)} entries of {ATLAS} have a rule; of the others it is said what it would take.",
        "\n".join(["| # | entry | rules, or why not yet |", "|---|---|---|", *rows]),
        "## What real repositories get wrong",
        f"{FIELD_DATA} {seen_in_field}",
        "\n".join(["| class | seen | rules, or why not yet |", "|---|---|---|", *classes]),
    ]
    return "\n\n".join(parts) + "\n", faults


def _covered(rules: Iterable[str], entry: dict[str, Any]) -> str:
    links = ", ".join(f"[{name}](rules/{name}.md)" for name in rules)
    return links or f"not yet: {entry.get('not_yet', 'no rule')}"


def _field_rows(docs: Path, rules: list[Rule], faults: list[str]) -> tuple[list[str], str]:
    classes = yaml.safe_load((docs / "field-classes.yaml").read_text("utf-8"))
    names = {_normal(one["name"]): one["name"] for one in classes}
    found: dict[str, list[str]] = {one["name"]: [] for one in classes}
    for rule in rules:
        for said in rule.wording.covers.get("field", []):
            near = difflib.get_close_matches(_normal(said), names, n=1, cutoff=_SAME_CLASS)
            if not near:
                faults.append(f"{rule.id}: covers.field: {said!r} is no class of docs/field-classes.yaml")
            elif rule.id not in found[names[near[0]]]:
                found[names[near[0]]].append(rule.id)
    for one in classes:
        if not found[one["name"]] and not one.get("not_yet"):
            faults.append(f"field class {one['name']!r}: no rule covers it, and no not_yet says why")
    rows = [f"| {cell(one['name'])} | {one['seen']} | {_covered(found[one['name']], one)} |" for one in classes]
    covered = sum(1 for names_of in found.values() if names_of)
    return rows, f"{covered} of {len(classes)} classes have a rule."


def _normal(text: str) -> str:
    return " ".join(text.replace("`", "").lower().split())


# ------------------------------------------------------------------------------------------------------------- facts


def _facts(schema: dict[str, Any]) -> str:
    view = schema["$defs"]["view"]["properties"]
    parts = [
        "# Facts",
        FACTS,
    ]
    for name, node in view.items():
        parts.append(_fact_table(name, node, schema))
    for name in ("case", "logs", "clock"):
        parts.append(_fact_table(name, schema["properties"][name], schema))
    return "\n\n".join(parts) + "\n"


def _fact_table(name: str, node: dict[str, Any], schema: dict[str, Any]) -> str:
    rows = [f"| `{path}` | {kind} | {cell(text)} |" for path, kind, text in _walk(name, node, schema, ())]
    return "\n".join([f"## {name}\n", "| fact | type | meaning |", "|---|---|---|", *rows])


def _walk(
    path: str, node: dict[str, Any], schema: dict[str, Any], within: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    reference = node.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        target = {**schema["$defs"][name], **{key: value for key, value in node.items() if key != "$ref"}}
        if name in within:
            yield path, _kind(target), f"as {name} above"
            return
        node, within = target, (*within, name)
    yield path, _kind(node), node.get("description", "")
    for name, child in node.get("properties", {}).items():
        yield from _walk(f"{path}.{name}", child, schema, within)
    if isinstance(node.get("items"), dict):
        yield from _inner(f"{path}[]", node["items"], schema, within)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _inner(f"{path}.*", node["additionalProperties"], schema, within)


def _inner(
    path: str, node: dict[str, Any], schema: dict[str, Any], within: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """Elements, without a row for what the list's own row says already."""
    rows = list(_walk(path, node, schema, within))
    yield from rows[1:] if len(rows) > 1 else ()


def _kind(node: dict[str, Any]) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"] if value is not None)
    kinds = node.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    if names == ["array"]:
        inner = node.get("items", {})
        return f"list of {_kind(inner)}" if "$ref" not in inner and inner.get("type") else "list"
    if names == ["object"] and isinstance(node.get("additionalProperties"), dict):
        return "map"
    return " or ".join(names)


# ------------------------------------------------------------------------------------------------------ command line


def _command_line() -> str:
    parts = [
        "# Command line",
        "What `--help` says, with the variable of each flag. Exit codes are in [exit-codes.md](exit-codes.md).",
    ]
    for name in COMMANDS:
        command = typer.main.get_command(import_module(f"pfdoctor.cli.{name}").app)
        children = getattr(command, "commands", None)
        if children is None:
            parts.append(_command(f"pfdoctor {name}", command))
        else:
            parts += [_command(f"pfdoctor {name} {child}", one) for child, one in children.items()]
    main_command = typer.main.get_command(app)
    return "\n\n".join([*parts, _command("pfdoctor", main_command)]) + "\n"


def _command(title: str, command: Any) -> str:
    arguments = " ".join(one.metavar or one.name.upper() for one in command.params if one.param_type_name == "argument")
    lines = [f"## {title}\n", f"`{title} {arguments}`".replace(" `", "`") + "\n", (command.help or "").strip() + "\n"]
    rows = [_parameter(one) for one in command.params if one.param_type_name == "option" and one.name != "help"]
    if rows:
        lines += ["| flag | variable | what it does |", "|---|---|---|", *rows]
    return "\n".join(lines).rstrip()


def _parameter(parameter: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in [*parameter.opts, *parameter.secondary_opts])
    value = f" `{cell(parameter.metavar)}`" if parameter.metavar else ""
    variable = f"`{parameter.envvar}`" if parameter.envvar else ""
    return f"| {flags}{value} | {variable} | {cell(parameter.help or '')} |"


def cell(text: str) -> str:
    """The text as the cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    raise SystemExit(main())
