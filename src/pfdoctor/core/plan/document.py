"""A plan as a JSON document (docs/schema/plan.schema.json), and back."""

from __future__ import annotations

from pfdoctor.core.model import Json, Level
from pfdoctor.core.plan.step import (
    SCHEMA_NAME,
    Fix,
    Forecast,
    NotPlanned,
    Outcome,
    Permission,
    Plan,
    PlanError,
    Step,
    Target,
    edit_from_json,
    edit_to_json,
    touched,
)


def to_json(plan: Plan) -> dict[str, Json]:
    """The document of the plan: plain values in a fixed order."""
    return {
        "schema": SCHEMA_NAME,
        "paths": list(plan.paths),
        "live": None if plan.live is None else plan.live._asdict(),
        "fixes": [{**one._asdict(), "level": str(one.level), "steps": list(one.steps)} for one in plan.fixes],
        "steps": [
            {
                **one._asdict(),
                "edit": edit_to_json(one.edit),
                "level": str(one.level),
                "touches": list(touched(one.edit)),
                "permissions": [permission._asdict() for permission in one.permissions],
            }
            for one in plan.steps
        ],
        "not_planned": [one._asdict() for one in plan.not_planned],
        "forecast": None
        if plan.forecast is None
        else {name: [one._asdict() for one in outcomes] for name, outcomes in plan.forecast._asdict().items()},
    }


def from_json(document: Json, name: str) -> Plan:
    """The plan of a document. Raises PlanError, naming the file, for whatever is none."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA_NAME:
        found = document.get("schema") if isinstance(document, dict) else None
        hint = f"its schema is {found!r}" if found else "it names no schema"
        raise PlanError(f"{name} is no plan ({SCHEMA_NAME}) of `pfdoctor plan`: {hint}")
    try:
        return _plan(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f"{name} does not have the shape of a plan ({type(error).__name__}: {error})") from error


def _plan(document: dict[str, Json]) -> Plan:
    steps = tuple(_step(one) for one in document["steps"])
    known = {one.id for one in steps}
    fixes = tuple(
        Fix(**{**one, "level": Level(one["level"]), "steps": tuple(one["steps"])}) for one in document["fixes"]
    )
    stray = sorted({step for fix in fixes for step in fix.steps} - known)
    if stray or len(known) != len(steps):
        raise ValueError(f"a fix names the step {stray[0]}, which is not there" if stray else "two steps have one id")
    forecast, live = document["forecast"], document["live"]
    return Plan(
        paths=tuple(map(str, document["paths"])),
        fixes=fixes,
        steps=steps,
        not_planned=tuple(NotPlanned(**one) for one in document["not_planned"]),
        forecast=None
        if forecast is None
        else Forecast(**{key: tuple(Outcome(**one) for one in outcomes) for key, outcomes in forecast.items()}),
        live=None if live is None else Target(**live),
    )


def _step(body: dict[str, Json]) -> Step:
    fields = {key: value for key, value in body.items() if key != "touches"}
    permissions = tuple(Permission(**one) for one in body["permissions"])
    edit, level = edit_from_json(body["edit"]), Level(body["level"])
    return Step(**{**fields, "edit": edit, "level": level, "permissions": permissions})
