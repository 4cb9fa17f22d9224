"""Snapshots: the facts of a run as a JSON file, from which `check --facts` prints the same report elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import pfdoctor
from pfdoctor.core.facts import Facts, FactsError
from pfdoctor.core.model import Json, PfdoctorError, Source

SCHEMA_NAME = "pfdoctor/snapshot/v1"
_SHAPES: dict[str, type | tuple[type, ...]] = {
    "declared": (dict, type(None)),
    "live": (dict, type(None)),
    "logs": (list, type(None)),
    "clock": (dict, type(None)),
    "origins": dict,
    "excerpts": dict,
    "joins": list,
}


_T = TypeVar("_T")


class Snapshot(NamedTuple):
    """The collected cases, and the inputs that could not be examined."""

    cases: tuple[Facts, ...]
    problems: tuple[dict[str, Json], ...]


def to_text(cases: Iterable[Facts], problems: Iterable[dict[str, Json]], notices: Iterable[str]) -> str:
    """The snapshot as JSON; one case a line."""
    from pfdoctor.report.json import dump

    return dump(
        {
            "schema": SCHEMA_NAME,
            "version": pfdoctor.__version__,
            "cases": [facts.document for facts in cases],
            "problems": list(problems),
            "notices": list(notices),
        }
    )


def replay(snapshot: Snapshot, examine: Callable[[Facts], _T], name: str) -> Iterator[_T]:
    """`examine` of every case. Raises FactsError where facts are not of the shape that the schema gives them."""
    for facts in snapshot.cases:
        yield _replayed(facts, examine, name)


def _replayed(facts: Facts, examine: Callable[[Facts], _T], name: str) -> _T:
    try:
        return examine(facts)
    except PfdoctorError:
        raise
    except Exception as error:
        # what pfdoctor writes has the schema's shape; a file that was edited may hold anything
        what = f"the facts of {facts.case['name']} do not have the shape of docs/facts.md"
        raise FactsError(f"{name}: {what} ({type(error).__name__})") from error


def read(name: str) -> Snapshot:
    """The snapshot in a file, `-` for stdin. Raises FactsError for whatever is none."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        document = json.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise FactsError(f"cannot read {name}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FactsError(f"{name} is no JSON: {reason}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA_NAME:
        found = document.get("schema") if isinstance(document, dict) else None
        hint = f"its schema is {found!r}" if found else "it names no schema"
        raise FactsError(f"{name} is no snapshot ({SCHEMA_NAME}) of `pfdoctor facts`: {hint}")
    cases = _listed(name, document, "cases")
    for index, case in enumerate(cases):
        _check_case(name, index, case)
    problems = _listed(name, document, "problems")
    for problem in problems:
        if not all(isinstance(problem.get(key), str) for key in ("path", "problem", "detail")):
            raise FactsError(f"{name}: a problem has a path, a problem and a detail")
    return Snapshot(tuple(map(Facts, cases)), tuple(problems))


def _listed(name: str, document: dict[str, Json], key: str) -> list[dict[str, Json]]:
    elements = document.get(key)
    if not isinstance(elements, list) or not all(isinstance(one, dict) for one in elements):
        raise FactsError(f"{name}: {key!r} is not a list of objects")
    return elements


def _check_case(name: str, index: int, document: dict[str, Json]) -> None:
    """Whether the parts of a facts document are what the engine takes for granted; facts themselves may be anything."""
    case = document.get("case")
    if not isinstance(case, dict) or not all(isinstance(case.get(key), str) for key in ("name", "kind")):
        raise FactsError(f"{name}: case {index} has no name and kind")
    for key, shape in _SHAPES.items():
        if key in document and not isinstance(document[key], shape):
            raise FactsError(f"{name}: {key!r} of case {case['name']} has the wrong type")
    for places in document.get("origins", {}).values():
        if not isinstance(places, dict) or not all(map(_is_place, places.values())):
            raise FactsError(f"{name}: an origin of case {case['name']} is no place in a file or answer of a service")
    for lines in document.get("excerpts", {}).values():
        if not isinstance(lines, dict) or not all(isinstance(text, str) for text in lines.values()):
            raise FactsError(f"{name}: an excerpt of case {case['name']} is not a text")
    if not all(isinstance(join, dict) for join in document.get("joins", [])):
        raise FactsError(f"{name}: a join of case {case['name']} is not an object")
    for log in document.get("logs") or ():
        hits = log.get("hits") if isinstance(log, dict) else None
        if not isinstance(hits, list) or not all(isinstance(hit, dict) and "symptom" in hit for hit in hits):
            raise FactsError(f"{name}: a log of case {case['name']} has no hits")


def _is_place(value: Json) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("id"), str) and set(value) <= set(Source._fields)
    if not isinstance(value, list) or not 1 <= len(value) <= 4 or not isinstance(value[0], str):
        return False
    return all(isinstance(number, int) and number > 0 for number in value[1:])
