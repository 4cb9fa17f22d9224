"""Placeholders in the messages of rules: `{environment.name}`, `{it.node}`, `{environment.file|environment.name}`."""

from __future__ import annotations

from pfdoctor.core.condition import Scope
from pfdoctor.core.facts import FactPath, FactsSchema
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_PLACEHOLDER = Pattern(r"\{([A-Za-z_][^{}\s]*)\}")


def placeholders(text: str) -> list[str]:
    """The paths named in the text, in order. `{}` and anything that is not a path stand for themselves."""
    return [path for found in _PLACEHOLDER.findall(text) for path in found.split("|")]


def compile_message(text: str, schema: FactsSchema, item: FactPath | None) -> dict[str, FactPath]:
    """Each placeholder with its checked path; raises FactsError for one that names no fact."""
    return {name: schema.compile(name, item) for name in placeholders(text)}


def render(text: str, paths: dict[str, FactPath], scope: Scope) -> str:
    """The text with each placeholder replaced by the value of its fact; of `{a|b}` the first that has one."""
    return _PLACEHOLDER.sub(lambda match: show(_first(match[1], paths, scope)), text)


def is_complete(text: str, paths: dict[str, FactPath], scope: Scope) -> bool:
    """Whether every fact that the text shows is known."""
    return not any(isinstance(_first(found, paths, scope), Unknown) for found in _PLACEHOLDER.findall(text))


def _first(alternatives: str, paths: dict[str, FactPath], scope: Scope) -> Json:
    """Of the facts that `a|b` names the first that is there; else what the first of them came to."""
    values = [scope.look_up(paths[path]).value for path in alternatives.split("|")]
    return next((one for one in values if one is not None and not isinstance(one, Unknown)), values[0])


def show(value: Json) -> str:
    """A fact's value as a person reads it."""
    if isinstance(value, Unknown):
        return "(unknown)"
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(show, value)) if value else "(none)"
    if isinstance(value, dict):
        if "$incomplete" in value:
            return show(value.get("items") or value.get("entries")) + ", …"
        return ", ".join(f"{key}: {show(element)}" for key, element in value.items()) if value else "(none)"
    return str(value)
