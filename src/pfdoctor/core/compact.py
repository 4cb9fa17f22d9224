"""Rules as compact JSON, for the index that a wheel carries: checked once when it is built, trusted when it is read.

Paths are kept once, in a table; conditions are lists that name them by number. What a person is told about a rule
stays a text inside the text, and is parsed only when the rule fires.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal, cast

from pfdoctor.core.condition import All, AnyOf, Condition, Leaf, Not, Predicate, Quantified, Test
from pfdoctor.core.facts import FactPath, Step
from pfdoctor.core.model import Confidence, Json, Severity
from pfdoctor.core.rule import Deferred, Rule, Wording

_SEVERITIES = {str(one): one for one in Severity}
_CONFIDENCES = {str(one): one for one in Confidence}


class Encoder:
    """Turns rules into compact JSON; `paths` is the table they share."""

    def __init__(self) -> None:
        self.paths: list[Json] = []
        self._numbers: dict[FactPathKey, int] = {}

    def rule(self, rule: Rule, wording: Json) -> Json:
        """The rule as a list; `wording` is the part of the raw mapping that words it."""
        return [
            rule.title,
            rule.category,
            str(rule.severity),
            str(rule.confidence),
            self._path(rule.subject),
            self._optional(rule.applies),
            self.condition(rule.when),
            self._path(rule.each) if rule.each is not None else None,
            rule.key,
            self._path(rule.at) if rule.at is not None else None,
            list(rule.symptoms),
            list(rule.specialises),
            list(rule.leads_to),
            list(rule.views),
            list(rule.requires),
            json.dumps(wording, separators=(",", ":"), ensure_ascii=False),
        ]

    def _optional(self, condition: Condition | None) -> Json:
        return None if condition is None else self.condition(condition)

    def condition(self, condition: Condition) -> Json:
        match condition:
            case All(parts):
                return ["all", *map(self.condition, parts)]
            case AnyOf(parts):
                return ["any", *map(self.condition, parts)]
            case Not(part):
                return ["not", self.condition(part)]
            case Quantified(path, where, universal):
                return ["every" if universal else "some", self._path(path), self.condition(where)]
            case Test(name, paths, _):
                return ["predicate", name, *map(self._path, paths)]
            case Leaf(path, operator, value, other):
                return [operator, self._path(path), value, *([] if other is None else [self._path(other)])]

    def _path(self, path: FactPath) -> int:
        key = (path.text, path.root, path.steps)
        if key not in self._numbers:
            self._numbers[key] = len(self.paths)
            self.paths.append(
                [path.text, path.root, [step.key for step in path.steps], [step.in_map for step in path.steps]]
            )
        return self._numbers[key]


FactPathKey = tuple[str, str, tuple[Step, ...]]


class Decoder:
    """Turns compact JSON back into rules."""

    def __init__(self, paths: list[Json], predicates: Mapping[str, Predicate]) -> None:
        self._paths = [
            FactPath(text, cast('Literal["it", "view", "document"]', root), tuple(map(Step, keys, in_maps)), {})
            for text, root, keys, in_maps in paths
        ]
        self._predicates = predicates

    def rule(self, rule_id: str, code: Json, words: Callable[[Json, str | None], Wording]) -> Rule:
        """The rule; `words` makes its wording of the raw mapping and the text of `each`, when it is asked for."""
        title, category, severity, confidence, subject, applies, when, each, key, at, *rest = code
        symptoms, specialises, leads_to, views, requires, wording = rest
        each_path = self._paths[each] if each is not None else None
        return Rule(
            rule_id,
            title,
            category,
            _SEVERITIES[severity],
            _CONFIDENCES[confidence],
            self._paths[subject],
            self.condition(applies) if applies is not None else None,
            self.condition(when),
            each_path,
            key,
            self._paths[at] if at is not None else None,
            tuple(symptoms),
            tuple(specialises),
            tuple(leads_to),
            tuple(views),
            tuple(requires),
            Deferred(lambda: words(json.loads(wording), each_path.text if each_path is not None else None)),
        )

    def condition(self, code: Json) -> Condition:
        kind = code[0]
        if kind == "all":
            return All(tuple(map(self.condition, code[1:])))
        if kind == "any":
            return AnyOf(tuple(map(self.condition, code[1:])))
        if kind == "not":
            return Not(self.condition(code[1]))
        if kind in ("some", "every"):
            return Quantified(self._paths[code[1]], self.condition(code[2]), kind == "every")
        if kind == "predicate":
            return Test(code[1], tuple(self._paths[one] for one in code[2:]), self._predicates[code[1]])
        return Leaf(self._paths[code[1]], kind, code[2], self._paths[code[3]] if len(code) > 3 else None)
