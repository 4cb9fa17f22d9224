"""A user's own rules: checked against the JSON Schema of a rule first, so that a fault of shape names its line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pfdoctor import catalog
from pfdoctor.core.model import Json
from pfdoctor.core.rule import Catalogue, RuleError

RULE_SCHEMA = Path("schema") / "rule.schema.json"
SYMPTOM_SCHEMA = Path("schema") / "symptom.schema.json"

# the reader of rules says these with a suggestion
_SAID_BETTER = frozenset(("additionalProperties", "required", "enum"))


def load(directories: Sequence[Path] | None, *, offline: bool = False) -> Catalogue:
    """The catalogue that diagnosing needs: the shipped rules (`offline`: for files alone) and the directories'."""
    for directory in directories or ():
        check_shape(directory)
    return catalog.load(directories or (), offline=offline)


def load_full(directories: Sequence[Path] | None) -> Catalogue:
    """The same with explanations and examples."""
    catalogue = catalog.load_full()
    for directory in directories or ():
        check_shape(directory)
        catalogue = catalog.with_own(catalogue, [directory])
    return catalogue


def check_shape(directory: Path) -> None:
    """Raises RuleError naming every value of the wrong type, with file and line; what is no YAML is left to loading."""
    # imported here: jsonschema costs more than a whole check
    from jsonschema import Draft202012Validator

    shipped = catalog.rules_directory()
    rule = Draft202012Validator(json.loads((shipped / RULE_SCHEMA).read_text("utf-8")))
    symptom = Draft202012Validator(json.loads((shipped / SYMPTOM_SCHEMA).read_text("utf-8")))
    faults: list[str] = []
    for path in catalog.rule_files(directory):
        faults += _faults(path, symptom if path.parent.name == "symptoms" else rule)
    if faults:
        raise RuleError("\n".join(faults))


def _faults(path: Path, validator: Json) -> Iterator[str]:
    from pfdoctor.yaml_document import Dialect, YamlError, read

    try:
        documents = read(path.read_text("utf-8"), Dialect.FLOW)
    except (YamlError, OSError, UnicodeDecodeError):
        return
    for document in documents[:1]:
        for error in sorted(validator.iter_errors(document.value), key=lambda one: list(map(str, one.absolute_path))):
            if error.validator in _SAID_BETTER:
                continue
            where = tuple(error.absolute_path)
            places = (document.key_place(*where[:length]) for length in range(len(where), 0, -1))
            place = next((one for one in places if one is not None), (1, 1, 1))
            yield f"{path}:{place[0]}: {_dotted(where) or 'the rule'}: {error.message}"


def _dotted(where: Iterable[str | int]) -> str:
    return ".".join(map(str, where))
