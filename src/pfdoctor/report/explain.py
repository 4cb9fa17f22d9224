"""Everything about one rule: what `pfdoctor explain` prints, and its page in docs/rules/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pfdoctor.core.message import named
from pfdoctor.core.model import Grade, Json
from pfdoctor.core.rule import Catalogue, Reference, RemedySpec, Rule
from pfdoctor.report.rule_text import EXPECTATION, condition_lines, facts_read
from pfdoctor.report.style import EMPTY, Line, Span, copyable, is_command, line, severity_style, visible, wrap

GRADES = {
    Grade.RUN: "run: we reproduced it",
    Grade.DOCUMENTED: "documented by the vendor",
    Grade.REPORTED: "reported by users",
    Grade.INFERRED: "inferred: our own conclusion",
}
"""What the grade of a reference means."""

LEVELS = {
    "safe": "safe: can be applied by itself",
    "review": "review: read the change first",
    "manual": "manual: for you to do",
}
"""What the level of a remedy means."""


def explain(rule: Rule, catalogue: Catalogue, width: int) -> list[Line]:
    """The rule for a person at a terminal."""
    head = Span(f"{rule.severity}[{rule.id}]", severity_style(rule.severity))
    lines = wrap([head, Span(f" {visible(rule.title)}", "strong")], width, rest="    ")
    lines += [line(Span(f"{rule.category} · {rule.confidence}", "dim")), EMPTY]
    lines += [*_paragraphs(rule.wording.explanation, width), EMPTY]
    if rule.applies is not None:
        lines += _section("Applies when", _condition(condition_lines(rule.applies), width))
    start = f"For each element (`it`) of {rule.each.text}: true when" if rule.each is not None else "True when"
    lines += _section(start, _condition(condition_lines(rule.when), width))
    lines += _section(
        "Facts it reads",
        [
            one
            for fact in facts_read(rule)
            for one in wrap([Span(fact.path, "place"), Span(f": {fact.description}", "dim")], width, "  ", "      ")
        ],
    )
    lines += _section(
        "Symptoms in logs and answers", [one for name in rule.symptoms for one in _symptom(name, catalogue, width)]
    )
    lines += _section("Says", wrap([Span(visible(named(rule.wording.message)))], width, "  ", "  "))
    lines += _section("Fix", [one for remedy in rule.wording.remedies for one in _remedy(remedy, width)])
    lines += _section("Ignore it when", _paragraphs(rule.wording.ignore_when or "", width, "  "))
    lines += _section(
        "Examples",
        [
            one
            for test in rule.wording.tests
            for one in wrap([Span(visible(f"{test['name']}: {EXPECTATION[test['expect']]}"))], width, "  ", "      ")
        ],
    )
    lines += _section(
        "Related rules",
        [
            line(f"  {text}: ", Span(", ".join(names), "strong"))
            for text, names in (("a sharper form of", rule.specialises), ("leads to", rule.leads_to))
            if names
        ],
    )
    lines += _section("Sources", [one for reference in rule.wording.references for one in _source(reference, width)])
    return [*lines, line(Span(rule.help_uri, "dim"))]


def _section(title: str, body: list[Line]) -> list[Line]:
    return [line(Span(title, "strong")), *body, EMPTY] if body else []


def _paragraphs(text: str, width: int, indent: str = "") -> list[Line]:
    lines: list[Line] = []
    for index, paragraph in enumerate(part for part in text.strip().split("\n\n") if part.strip()):
        lines += [EMPTY] if index else []
        lines += wrap([Span(visible(" ".join(paragraph.split())))], width, indent, indent)
    return lines


def _condition(parts: Iterable[tuple[int, str]], width: int) -> list[Line]:
    lines: list[Line] = []
    for depth, text in parts:
        indent = "  " * (depth + 1)
        lines += wrap([Span(visible(text.replace("`", "")))], width, f"{indent}- ", f"{indent}  ")
    return lines


def _symptom(name: str, catalogue: Catalogue, width: int) -> Iterator[Line]:
    symptom = catalogue.symptoms[name]
    yield from wrap([Span(visible(symptom.title)), Span(f" ({name})", "dim")], width, "  ", "      ")
    for text in symptom.contains:
        yield from wrap([Span(f"“{visible(text)}”")], width, "      ", "      ")


def _remedy(remedy: RemedySpec, width: int) -> list[Line]:
    title = [Span(f"[{remedy.level}] ", "fix"), Span(visible(remedy.title))]
    if remedy.only_if is not None:
        title.append(Span(" (where it fits)", "dim"))
    lines = wrap(title, width, "  ", "      ")
    for text in action_texts(remedy):
        lines += wrap([Span(visible(text), "fix")], width, "      ", "        ")
    for step in (remedy.steps or "").strip().splitlines():
        lines += wrap([Span(copyable(visible(named(step))))], width, "      ", "      ")
    return lines


def _source(reference: Reference, width: int) -> list[Line]:
    lines = wrap([Span(f"[{reference.grade}] ", "dim"), Span(visible(reference.title))], width, "  ", "      ")
    return [*lines, line("      ", Span(visible(reference.url), "place"))]


def action_texts(remedy: RemedySpec) -> list[str]:
    """The actions of a remedy as the rule states them, one line each."""
    return [_action(kind, body) for action in remedy.raw_actions for kind, body in action.items()]


def _action(kind: str, body: dict[str, Json]) -> str:
    match kind:
        case "set":
            return f"set {body['fact']} to {_yaml(body['value'])}"
        case "remove":
            return f"remove {body['fact']}"
        case "rename":
            return f"rename the key of {body['fact']} to {body['to']}"
        case "requirement":
            return f"requirements: {body['line'] or 'remove ' + str(body['name'])}"
        case "create_file":
            return f"create {body['path']} holding: {_yaml(body['content'])}"
        case "move_file":
            return f"move {body['source']} to {body['to']}"
        case "assign_role":
            return f"assign the role {body['role']} at {body['scope']}"
        case "route_traffic":
            return f"send all of the endpoint's traffic to {body['deployment']}"
        case "register_provider":
            return f"register the resource provider {body['namespace']}"
        case _:
            return f"sync the keys of the workspace {body['workspace']}"


def _yaml(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(element)}" for key, element in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value).strip()


def page(rule: Rule, catalogue: Catalogue) -> str:
    """The rule as a page of Markdown."""
    parts = [
        f"# {rule.id}",
        f"**{rule.title}**",
        f"`{rule.severity}` · `{rule.confidence}` · category [{rule.category}](README.md#{rule.category})",
        rule.wording.explanation.strip(),
    ]
    if rule.applies is not None:
        parts += ["## Applies when", _bullets(condition_lines(rule.applies))]
    each = f" (for each element, `it`, of `{rule.each.text}`)" if rule.each is not None else ""
    parts += [f"## True when{each}", _bullets(condition_lines(rule.when))]
    rows = [f"| `{fact.path}` | {_cell(fact.description)} |" for fact in facts_read(rule)]
    parts += ["## Facts it reads", "\n".join(["| fact | meaning |", "|---|---|", *rows])]
    if rule.symptoms:
        parts += ["## Symptoms in logs and answers", "\n".join(_symptom_bullets(rule, catalogue))]
    parts += ["## What it says", f"> {named(rule.wording.message, '*')}"]
    if rule.wording.remedies:
        parts += ["## Fix", "\n".join(_remedy_item(remedy) for remedy in rule.wording.remedies)]
    if rule.wording.ignore_when:
        parts += ["## When to ignore it", rule.wording.ignore_when.strip()]
    parts += ["## Examples", "\n".join(_example(test) for test in rule.wording.tests)]
    related = [("A sharper form of", rule.specialises), ("Leads to", rule.leads_to)]
    for text, names in related:
        if names:
            parts.append(f"{text}: " + ", ".join(_link(name, catalogue) for name in names))
    sources = [f"- [{one.title}]({one.url}) ({GRADES[one.grade]})" for one in rule.wording.references]
    parts += ["## Sources", "\n".join(sources)]
    numbers = rule.wording.covers.get("atlas", [])
    if numbers:
        parts.append("Entries of the [failure atlas](../coverage.md): " + ", ".join(map(str, numbers)))
    return "\n\n".join(parts) + "\n"


def _bullets(parts: Iterable[tuple[int, str]]) -> str:
    return "\n".join(f"{'  ' * depth}- {text}" for depth, text in parts)


def _symptom_bullets(rule: Rule, catalogue: Catalogue) -> Iterator[str]:
    for name in rule.symptoms:
        symptom = catalogue.symptoms[name]
        yield f"- {symptom.title} (`{name}`)"
        for text in symptom.contains:
            yield f"  - {_code(text)}"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _remedy_item(remedy: RemedySpec) -> str:
    lines = [f"- **{remedy.title}** ({LEVELS[str(remedy.level)]})"]
    lines += [f"  - {_code(text)}" for text in action_texts(remedy)]
    if remedy.steps:
        steps = (named(step) for step in remedy.steps.strip().splitlines())
        lines += [f"  - {_code(step) if is_command(step) else step}" for step in steps]
    if remedy.only_if is not None:
        lines += ["", "  Offered only when:", ""]
        lines += [f"  {'  ' * depth}- {text}" for depth, text in condition_lines(remedy.only_if)]
    return "\n".join(lines).rstrip()


def _example(test: dict[str, Json]) -> str:
    said = f" (“{test['message']}”)" if "message" in test else ""
    return f"- {test['name']}: **{EXPECTATION[test['expect']]}**{said}"


def _link(name: str, catalogue: Catalogue) -> str:
    return f"[{name}]({name}.md)" if name in catalogue.rules else f"`{name}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
