"""Reads rules and symptoms from mappings, gathering every fault with its place.

The form of a rule file is described in docs/writing-rules.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar

from pfdoctor.core import action as actions
from pfdoctor.core import message as messages
from pfdoctor.core.condition import Condition, ConditionError, Predicate, did_you_mean, parse, paths
from pfdoctor.core.facts import VIEWS, FactPath, FactsError, FactsSchema
from pfdoctor.core.model import Confidence, Grade, Json, Level, Severity
from pfdoctor.core.rule import Deferred, Reference, RemedySpec, Rule, Symptom, Wording

Where: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of the rule's mapping to the place of a fault."""

_SYMPTOM_FLAGS = ("consequence", "common", "elsewhere")
_REQUIRED = ("title", "category", "severity", "confidence", "subject", "explanation", "when", "message", "references")
_OPTIONAL = (
    "id",
    "applies",
    "each",
    "key",
    "at",
    "related",
    "symptoms",
    "specialises",
    "leads_to",
    "remedies",
    "ignore_when",
    "covers",
    "tests",
)
_REMEDY_KEYS = ("title", "level", "only_if", "actions", "steps")
_REFERENCE_KEYS = ("title", "url", "grade")
_TEST_KEYS = (
    "name",
    "facts",
    "live",
    "logs",
    "symptoms",
    "expect",
    "remedied",
    "message",
    "clock",
    "findings",
    "derive",
)


_T = TypeVar("_T")


class _Reader:
    """Reads one mapping, gathering faults instead of stopping at the first."""

    def __init__(self, schema: FactsSchema, predicates: Mapping[str, Predicate]) -> None:
        self.schema = schema
        self.predicates = predicates
        self.faults: list[tuple[Where, str]] = []

    def fault(self, where: Where, message: str) -> None:
        self.faults.append((where, message))

    def attempt(self, where: Where, build: Callable[[], _T]) -> _T | None:
        try:
            return build()
        except ConditionError as error:
            self.fault(error.where or where, str(error))
        except (FactsError, ValueError, KeyError, TypeError) as error:
            self.fault(where, str(error))
        return None

    def keys(self, raw: Json, allowed: tuple[str, ...], where: Where) -> bool:
        if not isinstance(raw, dict):
            self.fault(where, "a mapping is expected here")
            return False
        for key in raw:
            if key not in allowed:
                self.fault((*where, str(key)), f"unknown key {key!r}{did_you_mean(str(key), allowed)}")
        return True

    def condition(self, raw: Json, item: FactPath | None, where: Where) -> Condition | None:
        return self.attempt(where, lambda: parse(raw, self.schema, self.predicates, item, where))

    def action(self, raw: Json, item: FactPath | None, where: Where) -> actions.Action | None:
        return self.attempt(where, lambda: actions.parse(raw, self.schema, item, where))

    def path(self, text: Json, item: FactPath | None, where: Where) -> FactPath | None:
        if not isinstance(text, str):
            self.fault(where, "a path is a text such as flow.nodes")
            return None
        return self.attempt(where, lambda: self.schema.compile(text, item))

    def texts(self, text: Json, item: FactPath | None, where: Where) -> dict[str, FactPath]:
        if not isinstance(text, str):
            self.fault(where, "a text is expected here")
            return {}
        return self.attempt(where, lambda: messages.compile_message(text, self.schema, item)) or {}

    def choice(self, kind: type[_T], raw: Json, where: Where) -> _T | None:
        names = [str(member) for member in kind]  # type: ignore[attr-defined]  # kind is an Enum class
        if raw not in names:
            self.fault(where, f"{raw!r} is none of {', '.join(names)}{did_you_mean(str(raw), names)}")
            return None
        return kind(raw)  # type: ignore[call-arg]  # kind is an Enum class


def parse_rule(
    rule_id: str, raw: Json, schema: FactsSchema, predicates: Mapping[str, Predicate]
) -> tuple[Rule | None, list[tuple[Where, str]]]:
    """The rule, or None with all its faults as (where, message)."""
    reader = _Reader(schema, predicates)
    if not reader.keys(raw, _REQUIRED + _OPTIONAL, ()):
        return None, reader.faults
    for key in _REQUIRED:
        if key not in raw:
            reader.fault((), f"{key!r} is missing")
    if raw.get("id", rule_id) != rule_id:
        reader.fault(("id",), f"the id {raw['id']!r} differs from the file name {rule_id!r}")
    each = reader.path(raw["each"], None, ("each",)) if "each" in raw else None
    if each is not None and not each.is_collection:
        reader.fault(("each",), f"{each.text!r} is neither a list nor a free map")
    if ("each" in raw) != ("key" in raw):
        reader.fault(("each",), "'each' and 'key' go together: 'key' tells the items apart, without an index")
    severity = reader.choice(Severity, raw.get("severity"), ("severity",))
    confidence = reader.choice(Confidence, raw.get("confidence"), ("confidence",))
    subject = reader.path(raw.get("subject"), None, ("subject",))
    applies = reader.condition(raw["applies"], None, ("applies",)) if "applies" in raw else None
    when = reader.condition(raw.get("when"), each, ("when",))
    at = reader.path(raw["at"], each, ("at",)) if "at" in raw else None
    wording = _parse_wording(raw, each, reader)
    if reader.faults or severity is None or confidence is None or subject is None or when is None:
        return None, reader.faults
    asked = [*(paths(applies) if applies is not None else ()), *paths(when), *([each] if each is not None else ())]
    views, requires = _looks_at([subject, *asked])
    if not views:
        reader.fault((), "no view holds all that the rule asks for: name the view of a fact, as in live.quota.limit")
        return None, reader.faults
    rule = Rule(
        rule_id,
        raw["title"],
        raw["category"],
        severity,
        confidence,
        subject,
        applies,
        when,
        each,
        raw.get("key"),
        at,
        tuple(raw.get("symptoms", ())),
        tuple(raw.get("specialises", ())),
        tuple(raw.get("leads_to", ())),
        views,
        requires,
        Deferred(lambda: wording),
    )
    return rule, []


_OF_LOGS = ("hits", "unexplained")
"""Lists that are derived from the logs alone."""


def _looks_at(asked: Iterable[FactPath]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The views that can hold every section the paths name without a view, and what they name outright."""
    views: tuple[str, ...] = VIEWS
    requires: set[str] = set()
    for path in asked:
        if path.root != "document":
            views = tuple(view for view in views if view in path.views)
        elif path.steps[0].key in (*VIEWS, "logs", *_OF_LOGS):
            requires.add("logs" if path.steps[0].key in _OF_LOGS else path.steps[0].key)
            if [step.key for step in path.steps[:2]] == ["live", "drift"]:
                # what differs between two views is known of neither alone
                requires.update(VIEWS)
    return views, tuple(sorted(requires))


def parse_wording(
    raw: Json, each: FactPath | None, schema: FactsSchema, predicates: Mapping[str, Predicate]
) -> tuple[Wording, list[tuple[Where, str]]]:
    """What a person is told about a rule, and the faults in it. `each` is the rule's own."""
    reader = _Reader(schema, predicates)
    return _parse_wording(raw, each, reader), reader.faults


def _parse_wording(raw: Json, each: FactPath | None, reader: _Reader) -> Wording:
    related = tuple(
        path
        for index, text in enumerate(raw.get("related", []))
        if (path := reader.path(text, each, ("related", index))) is not None
    )
    texts = reader.texts(raw.get("message"), each, ("message",))
    if "key" in raw:
        texts |= reader.texts(raw["key"], each, ("key",))
    remedies = tuple(
        remedy
        for index, body in enumerate(raw.get("remedies", []))
        if (remedy := _parse_remedy(body, each, reader, ("remedies", index))) is not None
    )
    references = _parse_references(raw.get("references", []), reader)
    for index, test in enumerate(raw.get("tests", [])):
        reader.keys(test, _TEST_KEYS, ("tests", index))
    return Wording(
        raw.get("message", ""),
        texts,
        remedies,
        references,
        related,
        raw.get("explanation", ""),
        raw.get("ignore_when"),
        raw.get("covers", {}),
        tuple(raw.get("tests", ())),
    )


def _parse_remedy(raw: Json, each: FactPath | None, reader: _Reader, where: Where) -> RemedySpec | None:
    if not reader.keys(raw, _REMEDY_KEYS, where):
        return None
    level = reader.choice(Level, raw.get("level"), (*where, "level"))
    only_if = reader.condition(raw["only_if"], each, (*where, "only_if")) if "only_if" in raw else None
    parsed = []
    for index, body in enumerate(raw.get("actions", [])):
        place = (*where, "actions", index)
        one = reader.action(body, each, place)
        if one is not None:
            parsed.append(one)
    texts: dict[str, FactPath] = {}
    for text in (raw.get("title", ""), raw.get("steps") or "", *_action_texts(raw.get("actions", []))):
        texts |= reader.texts(text, each, where)
    if not raw.get("actions") and not raw.get("steps"):
        reader.fault(where, "a remedy has actions, or steps in words")
    if level is None:
        return None
    return RemedySpec(
        raw.get("title", ""), level, only_if, tuple(parsed), tuple(raw.get("actions", ())), raw.get("steps"), texts
    )


def _action_texts(raw_actions: Json) -> list[str]:
    """Every text inside the actions that may hold placeholders."""
    texts: list[str] = []
    if isinstance(raw_actions, list):
        for action in raw_actions:
            for body in action.values() if isinstance(action, dict) else ():
                if isinstance(body, dict):
                    texts += [text for key, text in body.items() if key != "fact" and isinstance(text, str)]
    return texts


def _parse_references(raw: Json, reader: _Reader) -> tuple[Reference, ...]:
    references = []
    for index, body in enumerate(raw if isinstance(raw, list) else []):
        where: Where = ("references", index)
        if not reader.keys(body, _REFERENCE_KEYS, where):
            continue
        grade = reader.choice(Grade, body.get("grade"), (*where, "grade"))
        url = body.get("url", "")
        if not url.startswith("https://"):
            reader.fault((*where, "url"), f"{url!r} is not an https address")
        if grade is not None:
            references.append(Reference(body.get("title", ""), url, grade))
    if not references and not reader.faults:
        reader.fault(("references",), "a rule needs at least one reference")
    return tuple(references)


def parse_symptom(symptom_id: str, raw: Json, schema: FactsSchema) -> tuple[Symptom | None, list[tuple[Where, str]]]:
    """The symptom, or None with all its faults."""
    reader = _Reader(schema, {})
    if not reader.keys(raw, ("id", "title", "contains", "matches", "references", *_SYMPTOM_FLAGS), ()):
        return None, reader.faults
    contains = raw.get("contains")
    if not isinstance(contains, list) or not contains or not all(isinstance(one, str) and one for one in contains):
        reader.fault(("contains",), "'contains' lists the literal texts of the symptom")
        return None, reader.faults
    references = _parse_references(raw.get("references", []), reader)
    if reader.faults:
        return None, reader.faults
    for flag in _SYMPTOM_FLAGS:
        if not isinstance(raw.get(flag, False), bool):
            reader.fault((flag,), f"{flag!r} is true or false")
    if reader.faults:
        return None, reader.faults
    symptom = Symptom(
        symptom_id,
        raw.get("title", ""),
        tuple(contains),
        raw.get("matches"),
        references,
        *(raw.get(flag, False) for flag in _SYMPTOM_FLAGS),
    )
    return symptom, []


def check_links(rules: Mapping[str, Rule], symptoms: Mapping[str, Symptom]) -> list[tuple[str, str]]:
    """Faults of the ids that rules name: (rule id, message)."""
    faults = []
    for rule in rules.values():
        for name in rule.symptoms:
            if name not in symptoms:
                faults.append((rule.id, f"there is no symptom {name!r}{did_you_mean(name, symptoms)}"))
        for name in rule.specialises + rule.leads_to:
            if name not in rules and name not in symptoms:
                faults.append((rule.id, f"there is no rule {name!r}{did_you_mean(name, rules)}"))
    return faults
