"""Finds and reads the catalogue: the rule files of a checkout, the index inside a wheel, and a user's own rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from pfdoctor.core.facts import FactsSchema
from pfdoctor.core.model import Json, PfdoctorError
from pfdoctor.core.predicates import PREDICATES
from pfdoctor.core.rule import (
    Catalogue,
    Rule,
    RuleError,
    Symptom,
    Where,
    check_links,
    parse_rule,
    parse_symptom,
)

_INSTALLED = Path(__file__).parent / "rules"
_CHECKOUT = Path(__file__).parents[2] / "rules"
SCHEMA_FILE = Path("schema") / "facts.schema.json"

# what diagnosing never reads stays out of the index, which is parsed at every start
_LEFT_OUT = ("tests", "explanation", "ignore_when", "covers")


def rules_directory() -> Path:
    """The directory of the shipped rules: the checkout's own when there is one, else the installed copy."""
    return _CHECKOUT if (_CHECKOUT / SCHEMA_FILE).is_file() else _INSTALLED


def load(extra: Iterable[Path] = ()) -> Catalogue:
    """The shipped rules and the user's own; raises RuleError naming every fault with file and line."""
    index = _INSTALLED / "index.json"
    if rules_directory() == _INSTALLED and index.is_file():
        catalogue = _load_index(json.loads(index.read_text("utf-8")))
    else:
        catalogue = load_directory(rules_directory())
    for directory in extra:
        own = load_directory(directory, catalogue)
        catalogue = Catalogue(
            catalogue.schema, {**catalogue.rules, **own.rules}, {**catalogue.symptoms, **own.symptoms}
        )
    return catalogue


@cache
def load_full() -> Catalogue:
    """The shipped rules with everything, explanations and examples included, read from the YAML files."""
    return load_directory(rules_directory())


def load_directory(directory: Path, base: Catalogue | None = None) -> Catalogue:
    """The rules and symptoms of a directory. `base` lends its schema and symptoms to a user's own rules."""
    if not directory.is_dir():
        raise PfdoctorError(f"{directory}: no such directory of rules")
    schema = base.schema if base is not None else read_schema(rules_directory())
    rules: dict[str, Rule] = {}
    symptoms: dict[str, Symptom] = {}
    files: dict[str, Path] = {}
    faults: list[str] = []
    for path in rule_files(directory):
        raw, place = _read_rule_file(path)
        if path.parent.name == "symptoms":
            symptom, found = parse_symptom(path.stem, raw, schema)
            if symptom is not None:
                symptoms[symptom.id] = symptom
        else:
            rule, found = parse_rule(path.stem, raw, schema, PREDICATES)
            if rule is not None:
                if rule.id in files:
                    faults.append(f"{path}:1: the rule {rule.id!r} is defined in {files[rule.id]} already")
                rules[rule.id] = rule
        files[path.stem] = path
        faults += [f"{path}:{place(where)}: {fault}" for where, fault in found]
    known = {**(base.symptoms if base is not None else {}), **symptoms}
    known_rules = {**(base.rules if base is not None else {}), **rules}
    faults += [f"{files[rule_id]}:1: {fault}" for rule_id, fault in check_links(known_rules, known) if rule_id in files]
    if faults:
        raise RuleError("\n".join(faults))
    if base is not None and not rules:
        raise RuleError(f"{directory}: no rule file (*.yaml) in it")
    return Catalogue(schema, rules, symptoms)


def rule_files(directory: Path) -> list[Path]:
    """The rule and symptom files below a directory, sorted by name."""
    return sorted(path for path in directory.rglob("*.yaml") if path.parent.name != "schema")


def read_schema(directory: Path) -> FactsSchema:
    return FactsSchema(json.loads((directory / SCHEMA_FILE).read_text("utf-8")))


class _Places:
    """Lines of a rule file by the keys that lead there."""

    def __init__(self, path: Path) -> None:
        # imported here: a wheel's index needs no YAML
        from pfdoctor.yaml_document import Dialect, YamlError, read

        try:
            documents = read(path.read_text("utf-8"), Dialect.FLOW)
        except YamlError as error:
            raise RuleError(f"{path}:{error.line or 1}: {error.detail}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise RuleError(f"{path}: {error}") from error
        if len(documents) != 1:
            raise RuleError(f"{path}:1: a rule file holds one YAML document, not {len(documents)}")
        self.document = documents[0]

    def __call__(self, where: Where) -> int:
        for length in range(len(where), 0, -1):
            place = self.document.key_place(*where[:length])
            if place is not None:
                return place[0]
        return 1


def _read_rule_file(path: Path) -> tuple[Json, _Places]:
    places = _Places(path)
    return places.document.value, places


def build_index(directory: Path) -> str:
    """The JSON text of the index that a wheel carries: rules and symptoms without what diagnosing never reads."""
    load_directory(directory)
    rules, symptoms = {}, {}
    for path in rule_files(directory):
        raw = _read_rule_file(path)[0]
        if path.parent.name == "symptoms":
            symptoms[path.stem] = raw
        else:
            rules[path.stem] = {key: value for key, value in raw.items() if key not in _LEFT_OUT}
    schema = _without_prose(json.loads((directory / SCHEMA_FILE).read_text("utf-8")))
    return json.dumps({"schema": schema, "rules": rules, "symptoms": symptoms}, separators=(",", ":"), sort_keys=True)


def _without_prose(node: Json) -> Json:
    """The schema's shape alone; a property named like a keyword is kept."""
    if not isinstance(node, dict):
        return node
    slim = {key: node[key] for key in ("$ref", "additionalProperties", "items") if key in node}
    slim = {key: _without_prose(value) for key, value in slim.items()}
    if isinstance(node.get("properties"), dict):
        slim["properties"] = {key: _without_prose(value) for key, value in node["properties"].items()}
    if isinstance(node.get("$defs"), dict):
        slim["$defs"] = {key: _without_prose(value) for key, value in node["$defs"].items()}
    return slim


def _load_index(index: dict[str, Json]) -> Catalogue:
    schema = FactsSchema(index["schema"])
    rules = dict(_parsed(index["rules"], schema))
    symptoms = {}
    for symptom_id, raw in index["symptoms"].items():
        symptom, faults = parse_symptom(symptom_id, raw, schema)
        if symptom is None:
            raise RuleError(f"index.json: symptom {symptom_id}: {faults}")
        symptoms[symptom_id] = symptom
    return Catalogue(schema, rules, symptoms)


def _parsed(raw_rules: dict[str, Json], schema: FactsSchema) -> Iterator[tuple[str, Rule]]:
    for rule_id, raw in raw_rules.items():
        rule, faults = parse_rule(rule_id, {"explanation": "", **raw}, schema, PREDICATES)
        if rule is None:
            raise RuleError(f"index.json: rule {rule_id}: {faults}")
        yield rule_id, rule
