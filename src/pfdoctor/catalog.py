"""Finds and reads the catalogue: the rule files of a checkout, the index inside a wheel, and a user's own rules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pfdoctor.core.facts import FactsSchema
from pfdoctor.core.model import Json, PfdoctorError
from pfdoctor.core.predicates import PREDICATES
from pfdoctor.core.rule import Catalogue, Deferred, Rule, RuleError, Symptom, Wording

_INSTALLED = Path(__file__).parent / "rules"
_CHECKOUT = Path(__file__).parents[2] / "rules"
SCHEMA_FILE = Path("schema") / "facts.schema.json"
OFFLINE_INDEX, OTHERS_INDEX = "index.json", "index-others.json"
_OFFLINE = frozenset(("declared",))

# what words a rule: parsed once the rule fires
_WORDING = ("message", "key", "remedies", "references", "related")


def rules_directory() -> Path:
    """The directory of the shipped rules: the checkout's own when there is one, else the installed copy."""
    return _CHECKOUT if (_CHECKOUT / SCHEMA_FILE).is_file() else _INSTALLED


def load(extra: Iterable[Path] = (), *, offline: bool = False) -> Catalogue:
    """The shipped rules and the user's own; raises RuleError naming every fault with file and line.

    With `offline`, only those that files alone can decide: a check of files neither reads nor decodes the others.
    """
    index = _INSTALLED / OFFLINE_INDEX
    if rules_directory() == _INSTALLED and index.is_file():
        parts = [json.loads(index.read_text("utf-8"))]
        if not offline:
            parts.append(json.loads((_INSTALLED / OTHERS_INDEX).read_text("utf-8")))
        catalogue = load_index(*parts)
    else:
        catalogue = load_directory(rules_directory())
        catalogue = _offline_part(catalogue) if offline else catalogue
    return with_own(catalogue, extra)


def _offline_part(catalogue: Catalogue) -> Catalogue:
    rules = {name: rule for name, rule in catalogue.rules.items() if rule.runs_on(_OFFLINE)}
    others = (f"{rule.category}/{name}" for name, rule in catalogue.rules.items() if name not in rules)
    return catalogue.with_rules(rules, elsewhere=sorted(others))


@cache
def load_full() -> Catalogue:
    """The shipped rules with everything, explanations and examples included, read from the YAML files."""
    return load_directory(rules_directory())


def with_own(catalogue: Catalogue, directories: Iterable[Path]) -> Catalogue:
    """The catalogue and the user's own rules."""
    for directory in directories:
        own = load_directory(directory, catalogue)
        rules = {rule_id: rule._replace(shipped=False) for rule_id, rule in own.rules.items()}
        catalogue = catalogue.with_rules({**catalogue.rules, **rules}, own.symptoms)
    return catalogue


def load_directory(directory: Path, base: Catalogue | None = None) -> Catalogue:
    """The rules and symptoms of a directory. `base` lends its schema and symptoms to a user's own rules."""
    # imported here: a wheel's index needs none of it
    from pfdoctor.core.rule_reader import check_links, parse_rule, parse_symptom

    if not directory.is_dir():
        raise PfdoctorError(f"{directory}: no such directory of rules")
    schema = base.schema if base is not None else read_schema(rules_directory())
    rules: dict[str, Rule] = {}
    symptoms: dict[str, Symptom] = {}
    files: dict[str, Path] = {}
    faults: list[str] = []
    for path in rule_files(directory):
        places = _Places(path)
        raw = places.document.value
        if path.parent.name == "symptoms":
            symptom, found = parse_symptom(path.stem, raw, schema)
            if symptom is not None:
                symptoms[symptom.id] = symptom
        else:
            rule, found = parse_rule(path.stem, raw, schema, PREDICATES)
            if rule is not None:
                if rule.id in rules:
                    faults.append(f"{path}:1: the rule {rule.id!r} is defined in {files[rule.id]} already")
                rules[rule.id] = rule
                files[rule.id] = path
        faults += [f"{path}:{places(where)}: {fault}" for where, fault in found]
    known = {**(base.symptoms if base is not None else {}), **symptoms}
    known_rules = {**(base.rules if base is not None else {}), **rules}
    faults += [f"{files[rule_id]}:1: {fault}" for rule_id, fault in check_links(known_rules, known) if rule_id in files]
    if faults:
        raise RuleError("\n".join(faults))
    if base is not None and not rules:
        raise RuleError(f"{directory}: no rule file (*.yaml) in it")
    return Catalogue(rules, lambda: schema, lambda: symptoms)


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

    def __call__(self, where: tuple[str | int, ...]) -> int:
        for length in range(len(where), 0, -1):
            place = self.document.key_place(*where[:length])
            if place is not None:
                return place[0]
        return 1


def read_rule_file(path: Path) -> dict[str, Json]:
    """The mapping of a rule or symptom file; raises RuleError when it is no YAML."""
    value: dict[str, Json] = _Places(path).document.value
    return value


def build_index(directory: Path) -> dict[str, str]:
    """The JSON texts of the index that a wheel carries, by file name: rules in compact form, and what they speak of.

    The first file has what an offline check needs, and the names of the other rules; the second has those.
    """
    from pfdoctor.core.compact import Encoder

    catalogue = load_directory(directory)
    offline = _offline_part(catalogue)
    encoders = {True: Encoder(), False: Encoder()}
    rules: dict[bool, dict[str, Json]] = {True: {}, False: {}}
    symptoms: dict[str, Json] = {}
    for path in rule_files(directory):
        raw = read_rule_file(path)
        if path.parent.name == "symptoms":
            symptoms[path.stem] = raw
        else:
            part = path.stem in offline.rules
            wording = {key: raw[key] for key in _WORDING if key in raw}
            rules[part][path.stem] = encoders[part].rule(catalogue.rules[path.stem], wording)
    schema = _without_prose(json.loads((directory / SCHEMA_FILE).read_text("utf-8")))
    first = {
        "paths": encoders[True].paths,
        "rules": rules[True],
        "schema": json.dumps(schema),
        "elsewhere": list(offline.elsewhere),
    }
    second = {"paths": encoders[False].paths, "rules": rules[False], "symptoms": json.dumps(symptoms)}
    return {
        name: json.dumps(index, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        for name, index in ((OFFLINE_INDEX, first), (OTHERS_INDEX, second))
    }


def _without_prose(node: Json) -> Json:
    """The schema's shape alone; a property named like a keyword is kept."""
    if not isinstance(node, dict):
        return node
    slim = {key: _without_prose(node[key]) for key in ("$ref", "additionalProperties", "items") if key in node}
    for key in ("properties", "$defs"):
        if isinstance(node.get(key), dict):
            slim[key] = {name: _without_prose(value) for name, value in node[key].items()}
    return slim


def load_index(offline: dict[str, Json], others: dict[str, Json] | None = None) -> Catalogue:
    """The catalogue of an index; what only a firing rule needs is parsed when it fires.

    Without `others` it has the rules for files alone, and no symptoms.
    """
    from pfdoctor.core.compact import Decoder

    schema = Deferred(lambda: FactsSchema(json.loads(offline["schema"])))

    def words(raw: Json, each: str | None) -> Wording:
        from pfdoctor.core.rule_reader import parse_wording

        wording, faults = parse_wording(raw, schema().compile(each) if each is not None else None, schema(), PREDICATES)
        if faults:
            raise RuleError(f"index.json: {faults}")
        return wording

    def symptoms() -> dict[str, Symptom]:
        from pfdoctor.core.rule_reader import parse_symptom

        raws = json.loads(others["symptoms"]) if others is not None else {}
        parsed = {name: parse_symptom(name, raw, schema()) for name, raw in raws.items()}
        return {name: symptom for name, (symptom, _) in parsed.items() if symptom is not None}

    rules: dict[str, Rule] = {}
    for part in (offline, others):
        if part is not None:
            decoder = Decoder(part["paths"], PREDICATES)
            rules |= {rule_id: decoder.rule(rule_id, code, words) for rule_id, code in part["rules"].items()}
    return Catalogue(rules, schema, Deferred(symptoms), () if others is not None else tuple(offline["elsewhere"]))
