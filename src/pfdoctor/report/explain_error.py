"""What `pfdoctor explain` answers for an error code and for a pasted message."""

from __future__ import annotations

from collections.abc import Iterable

from pfdoctor.core.access_codes import REASONS, VERDICTS
from pfdoctor.core.codes import Code, meaning_of
from pfdoctor.core.model import Json
from pfdoctor.core.rule import Catalogue, Rule
from pfdoctor.report.style import EMPTY, Line, Span, copyable, count, line, severity_style, visible, wrap

_SHOWN = 12
_FIELDS = (
    "action scope object_id client_id status model_status model_reason missing_module missing_name from_module package "
    "requirement python key file line owner raised exit_code signal reason deployment host url attempts within"
).split()


_SYMPTOMS = {
    "401": {"scoring-unauthorised"},
    "404": {"endpoint-without-traffic", "requested-route-unknown"},
    "406": {"accept-not-acceptable"},
    "408": {"upstream-timeout"},
    "424": {"model-error-relayed", "user-container-crashed"},
    "429": {"too-many-pending-requests", "llm-rate-limited"},
    "502": {"probe-failed", "user-container-crashed"},
    "503": {"probe-failed", "user-container-crashed"},
    "504": {"upstream-timeout", "worker-timeout"},
    "137": {"out-of-memory"},
}
"""What is seen beside a number; a number alone is in every log."""
_OF_ACCESS = {one.code: one for one in (*VERDICTS, *REASONS)}


def explain_code(code: str, catalogue: Catalogue, width: int) -> list[Line] | None:
    """What a code means and which rules speak of it; None when nothing here knows it."""
    of_access = _OF_ACCESS.get(code.strip().strip("[]").upper().replace(" ", "_").replace("-", "_"))
    if of_access is not None:
        lines = wrap([Span(of_access.code, "strong")], width)
        return [*lines, *_meaning(of_access, width)]
    known = meaning_of(code)
    rules = rules_of(symptoms_naming(code, catalogue), catalogue)
    if known is None and not rules:
        return None
    lines = wrap([Span(visible(known.code if known is not None else code), "strong")], width)
    if known is not None:
        lines += _meaning(known, width)
    return [*lines, EMPTY, *_rules(rules, width)]


def explain_message(log: dict[str, Json], catalogue: Catalogue, width: int) -> list[Line] | None:
    """What a text says, by its facts `logs`; None when nothing in it is known."""
    hits, errors = log["hits"], log["errors"]
    if not hits and not errors:
        return None
    lines: list[Line] = []
    for error in errors[:_SHOWN]:
        lines += _error(error, width)
    if len(errors) > _SHOWN:
        lines += [line(Span(f"and {count(len(errors) - _SHOWN, 'more error')}", "dim")), EMPTY]
    seen = [catalogue.symptoms[hit["symptom"]] for hit in hits]
    for symptom in {one.id: one for one in seen}.values():
        lines += wrap(
            [Span("seen: ", "dim"), Span(visible(symptom.title)), Span(f" ({symptom.id})", "dim")], width, "", "      "
        )
    lines += [EMPTY] if seen else []
    lines += _rules(rules_of({one.id for one in seen}, catalogue), width)
    return lines


def symptoms_naming(code: str, catalogue: Catalogue) -> set[str]:
    """The symptom of that id, those that go with a number, or those one of whose literals holds the code."""
    wanted = code.strip().casefold()
    if wanted in catalogue.symptoms:
        return {wanted}
    if len(wanted) < 3 or wanted.isdigit():
        return _SYMPTOMS.get(wanted, set())
    return {
        symptom.id
        for symptom in catalogue.symptoms.values()
        if any(wanted in text.casefold() for text in symptom.contains)
    }


def rules_of(symptoms: Iterable[str], catalogue: Catalogue) -> list[Rule]:
    """The rules that one of the symptoms may be a trace of, the gravest first."""
    wanted = set(symptoms)
    found = [rule for rule in catalogue.rules.values() if wanted.intersection(rule.symptoms)]
    return sorted(found, key=lambda rule: (-rule.severity.rank, -rule.confidence.rank, rule.id))


def _error(error: dict[str, Json], width: int) -> list[Line]:
    head = [Span(f"{error['kind']} ", "dim"), Span(visible(str(error["code"] or "error")), "strong")]
    if error["count"] > 1:
        head.append(Span(f" × {error['count']}", "dim"))
    lines = wrap([*head, Span(f" line {error['line']}", "dim")], width)
    if error["message"]:
        first = " ".join(str(error["message"]).split())
        lines += wrap([Span(visible(first if len(first) <= 500 else first[:499] + "…"))], width, "  ", "  ")
    for name in _FIELDS:
        value = error["fields"].get(name)
        if value is not None:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines += wrap(
                [Span(f"{name.replace('_', ' ')}: ", "dim"), Span(visible(text), "place")], width, "    ", "      "
            )
    known = meaning_of(str(error["code"])) if error["code"] else None
    if known is not None and error["kind"] in ("arm", "authorization", "http", "llm"):
        lines += _meaning(known, width)
    return [*lines, EMPTY]


def _meaning(known: Code, width: int) -> list[Line]:
    lines = wrap([Span(visible(known.meaning))], width, "  ", "  ")
    for index, step in enumerate(known.next.split("; ") if known.next else ()):
        label = Span("        " if index else "  next: ", "dim")
        first, *more = wrap([Span(copyable(visible(step)), "fix")], width - 8, rest="        ")
        lines += [(label, *first), *more]
    return lines


def _rules(rules: list[Rule], width: int) -> list[Line]:
    if not rules:
        return [line(Span("No rule of pfdoctor has this for a symptom.", "dim"))]
    lines = [line(Span("May come from", "strong"))]
    for rule in rules:
        head = Span(f"{rule.severity}[{rule.id}]", severity_style(rule.severity))
        lines += wrap([head, Span(f" {visible(rule.title)}")], width, "  ", "      ")
    steps = [*dict.fromkeys(_next(rule) for rule in rules[:_SHOWN]), f"pfdoctor explain {rules[0].id}"]
    lines.append(EMPTY)
    for index, step in enumerate(steps):
        lines.append(line(Span("next: " if index == 0 else "      ", "dim"), Span(step, "fix")))
    return lines


def _next(rule: Rule) -> str:
    """The command that finds out whether this rule's cause is at hand: of files, of roles, or of what is deployed."""
    if rule.category == "access":
        return "pfdoctor access --endpoint ENDPOINT"
    if "declared" in rule.views and rule.subject.root != "document":
        return "pfdoctor check PATH"
    return "pfdoctor diagnose --endpoint ENDPOINT --log LOG"
