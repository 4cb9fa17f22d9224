"""Every shipped rule: its examples hold, each of its conditions matters, and its parts fit together."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml

from pfdoctor import catalog
from pfdoctor.core.compact import Encoder
from pfdoctor.core.condition import leaves
from pfdoctor.core.example import facts_of, outcome, run_examples
from pfdoctor.core.message import placeholders
from pfdoctor.core.model import Confidence, Grade, Json, Severity, Status
from pfdoctor.core.predicates import PREDICATES
from pfdoctor.core.rule import Catalogue, Rule
from pfdoctor.core.rule_reader import parse_rule

RULES = catalog.rules_directory()
CATALOGUE = catalog.load_full()
ALL = sorted(CATALOGUE.rules.values(), key=lambda rule: rule.id)
# faults that tests/plan/test_remedies.py plans for, applies and undoes
APPLIED = yaml.safe_load((Path(__file__).parents[1] / "fixtures" / "remedies.yaml").read_text(encoding="utf-8"))


@cache
def raw_rule(rule_id: str) -> dict[str, Json]:
    path = next(path for path in catalog.rule_files(RULES) if path.stem == rule_id and path.parent.name != "symptoms")
    return catalog.read_rule_file(path)


def each_rule(function: Callable[[Rule], None]) -> Callable[[Rule], None]:
    return pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.id)(function)


@each_rule
def test_examples_hold(rule: Rule) -> None:
    faults = [f"{one.name}: {one.fault}" for one in run_examples(rule, CATALOGUE) if one.fault]
    assert not faults


@each_rule
def test_actions_tell_the_values_of_their_finding(rule: Rule) -> None:
    texts = {name for spec in rule.wording.remedies for name in spec.texts}
    for example in rule.wording.tests:
        _, result = outcome(rule, facts_of(example, rule.views[0]), CATALOGUE)
        told = [one.actions for finding in result.findings for one in finding.remedies]
        assert not texts.intersection(placeholders(json.dumps(told)))


@each_rule
def test_has_a_firing_a_passing_and_an_empty_example(rule: Rule) -> None:
    expected = {example["expect"] for example in rule.wording.tests}
    assert expected & {"confirmed", "latent"}
    assert "pass" in expected
    # without a log a rule that reads one does not run
    nothing = "not-applicable" if "logs" in rule.requires else "unknown"
    assert any(example["expect"] == nothing and not example.get("facts") for example in rule.wording.tests)


@each_rule
def test_examples_state_facts_that_exist(rule: Rule) -> None:
    schema = json.loads((RULES / catalog.SCHEMA_FILE).read_text("utf-8"))
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/view", "$defs": schema["$defs"]})
    faults = [
        f"{example['name']}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for example in rule.wording.tests
        for view in ("facts", "live")
        for error in validator.iter_errors(_known_parts(example.get(view, {})))
    ]
    assert not faults


def _known_parts(node: Json) -> Json:
    """The facts without what is unknown, which fits every shape."""
    if isinstance(node, dict):
        if "$incomplete" in node:
            return _known_parts(node.get("items", node.get("entries")))
        return {
            key: _known_parts(value)
            for key, value in node.items()
            if not (isinstance(value, dict) and "$unknown" in value)
        }
    return [_known_parts(element) for element in node] if isinstance(node, list) else node


def without(condition: Json, path: tuple[str | int, ...]) -> Json:
    """The raw condition without one leaf; None when nothing is left of it."""
    if not path:
        return None
    key = path[0]
    if key in ("all", "any"):
        children = list(condition[key])
        child = without(children[path[1]], path[2:])  # type: ignore[index]  # the second segment is an index here
        if child is None:
            children.pop(path[1])  # type: ignore[arg-type]  # an index
        else:
            children[path[1]] = child  # type: ignore[index]  # an index
        return {key: children} if children else None
    child = without(condition[key], path[1:])
    return None if child is None else {**condition, key: child}


@each_rule
def test_every_leaf_matters(rule: Rule) -> None:
    """Dropping any leaf of `applies` or `when` changes what some example comes to."""
    raw = raw_rule(rule.id)

    def results(one: Rule) -> list[tuple[Status, int]]:
        found = []
        for example in rule.wording.tests:
            status, result = outcome(one, facts_of(example, rule.views[0]), CATALOGUE)
            found.append((status, len(result.findings)))
        return found

    before = results(rule)
    idle = []
    for part, condition in (("applies", rule.applies), ("when", rule.when)):
        for path in leaves(condition) if condition is not None else ():
            smaller = without(copy.deepcopy(raw[part]), path)
            if smaller is None and part == "when":
                continue  # the only leaf: without it there is no rule
            mutated = {key: value for key, value in raw.items() if key != part} | (
                {part: smaller} if smaller is not None else {}
            )
            mutant, faults = parse_rule(rule.id, mutated, CATALOGUE.schema, PREDICATES)
            assert mutant is not None, faults
            if results(mutant) == before:
                idle.append((part, path))
    assert not idle


@each_rule
def test_claims_no_more_than_its_references_bear(rule: Rule) -> None:
    if all(reference.grade is Grade.INFERRED for reference in rule.wording.references):
        assert rule.severity is not Severity.ERROR
        assert rule.confidence is not Confidence.CERTAIN


@each_rule
def test_is_kept_in_the_folder_of_its_category(rule: Rule) -> None:
    assert (RULES / rule.category / f"{rule.id}.yaml").is_file()


@each_rule
def test_a_remedy_that_edits_is_proven(rule: Rule) -> None:
    """A remedy that sets or removes facts has an example in which it cures, or was applied to real files."""
    edits = any(set(action) & {"set", "remove"} for spec in rule.wording.remedies for action in spec.raw_actions)
    applied = {fault["rule"] for fault in APPLIED}
    assert not edits or rule.id in applied or any(example.get("remedied") for example in rule.wording.tests)


def test_few_rules_need_a_predicate() -> None:
    needing = [
        rule.id
        for rule in ALL
        if '"predicate"' in json.dumps([raw_rule(rule.id).get("applies"), raw_rule(rule.id)["when"]])
    ]
    assert len(needing) <= 0.15 * len(ALL), needing


def test_no_two_symptoms_share_a_literal() -> None:
    literals = Counter(text for symptom in CATALOGUE.symptoms.values() for text in symptom.contains)
    assert [text for text, count in literals.items() if count > 1] == []


def test_every_symptom_is_used() -> None:
    used = {name for rule in ALL for name in rule.symptoms}
    assert set(CATALOGUE.symptoms) - used == set()


def test_index_equals_the_yaml() -> None:
    """What a wheel reads at start is what the rule files say."""
    offline, others = map(json.loads, catalog.build_index(RULES).values())
    loaded = catalog.load_index(offline, others)
    encoder = Encoder()
    assert sorted(loaded.rules) == sorted(CATALOGUE.rules)
    assert sorted(catalog.load_index(offline).rules) == sorted(set(CATALOGUE.rules) - set(others["rules"]))
    assert {name.rpartition("/")[2] for name in offline["elsewhere"]} == set(others["rules"])
    for rule_id, rule in loaded.rules.items():
        full = CATALOGUE.rules[rule_id]
        assert encoder.rule(rule, None) == encoder.rule(full, None)
        assert (rule.wording.message, rule.help_uri) == (full.wording.message, full.help_uri)
        assert [one.title for one in rule.wording.remedies] == [one.title for one in full.wording.remedies]
        assert rule.wording.references == full.wording.references
    assert loaded.symptoms == CATALOGUE.symptoms


def test_catalogue_is_not_empty() -> None:
    assert isinstance(CATALOGUE, Catalogue)
    assert len(ALL) >= 90
