"""Placeholders in the messages of rules: `{environment.name}`, `{it.node}`, `{environment.file|environment.name}`.

Of several facts the first that is there is shown. What begins with `<` is no fact but a word for a person to replace:
`{live.workspace.name|<workspace>}`; words in quotes say that a fact is null: `{endpoint.auth_mode|'not set'}`. A form
may follow a fact: `{live.workspace.id:name}`, see `FORMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pfdoctor.core.condition import Scope
from pfdoctor.core.facts import FactPath, FactsError, FactsSchema
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_MARKS = Pattern(r"[\[\]'\"]")
_PLACEHOLDER = Pattern(r"\{([A-Za-z_][^{}\s']*(?:'[^{}']*')?)\}")


def placeholders(text: str) -> list[str]:
    """The paths named in the text, in order. `{}` and anything that is not a path stand for themselves."""
    return [
        one.partition(":")[0]
        for found in _PLACEHOLDER.findall(text)
        for one in found.split("|")
        if not one.startswith(("<", "'"))
    ]


def named(text: str, emphasis: str = "") -> str:
    """The text for who reads the rule and no finding of it: each placeholder as the words to replace or its facts."""
    return _PLACEHOLDER.sub(lambda match: _named(match[1].split("|"), emphasis), text)


def _named(alternatives: list[str], emphasis: str) -> str:
    if alternatives[-1].startswith("<"):
        return alternatives[-1]
    if alternatives[-1].startswith("'"):
        alternatives = alternatives[:-1]
    paths = " or ".join(f"{emphasis}{one.partition(':')[0]}{emphasis}" for one in alternatives)
    return paths if emphasis else "{" + paths + "}"


def compile_message(text: str, schema: FactsSchema, item: FactPath | None) -> dict[str, FactPath]:
    """Each placeholder with its checked path; raises FactsError for one that names no fact, or a form that is none."""
    for found in _PLACEHOLDER.findall(text):
        form = found.partition("|")[0].partition(":")[2]
        if form and form not in FORMS:
            raise FactsError(f"{{{found}}}: the form {form} is none of {', '.join(FORMS)}")
    return {name: schema.compile(name, item) for name in placeholders(text)}


def render(text: str, paths: dict[str, FactPath], scope: Scope) -> str:
    """The text with each placeholder replaced by the value of its fact; of `{a|b}` the first that has one."""
    return _PLACEHOLDER.sub(lambda match: _shown(match[1], paths, scope), text)


def _shown(alternatives: str, paths: dict[str, FactPath], scope: Scope) -> str:
    value = _first(alternatives, paths, scope)
    path = paths.get(alternatives.partition("|")[0])
    is_file = path is not None and path.root == "view" and len(path.steps) > 1 and path.steps[-1].key == "file"
    if path is not None and is_file and (value is None or isinstance(value, Unknown)):
        # what Azure shows was made of a file that somebody else has
        return f"the {path.steps[-2].key}'s file"
    return show(value)


def is_complete(text: str, paths: dict[str, FactPath], scope: Scope) -> bool:
    """Whether every fact that the text shows is known."""
    return not any(isinstance(_first(found, paths, scope), Unknown) for found in _PLACEHOLDER.findall(text))


def _first(alternatives: str, paths: dict[str, FactPath], scope: Scope) -> Json:
    """Of the facts that `a|b` names the first that is there, in its form; else what the first of them came to."""
    values: list[Json] = []
    for one in alternatives.split("|"):
        path, _, form = one.partition(":")
        if one.startswith("'"):
            # what nobody could look at is not null
            return values[0] if any(isinstance(value, Unknown) for value in values) else one.strip("'")
        value = one if one.startswith("<") else scope.look_up(paths[path]).value
        if value is not None and not isinstance(value, Unknown):
            return FORMS[form](value) if form in FORMS else value
        values.append(value)
    return values[0]


def _name(value: Json) -> Json:
    """The last part of a resource id; of a list the names of its elements, of a record its own."""
    if isinstance(value, list):
        return [_name(one) for one in value]
    if isinstance(value, dict):
        if "$incomplete" in value:
            return {**value, "items": _name(value.get("items"))}
        return value.get("name") or value.get("id") or value
    return value.rstrip("/").rpartition("/")[2] or value if isinstance(value, str) else value


def _place(value: Json) -> Json:
    """The last two parts of a scope: `workspaces/ws`."""
    return "/".join(value.strip("/").split("/")[-2:]) if isinstance(value, str) else value


def _words(value: Json) -> Json:
    """A list that a program printed, without its brackets and quotes."""
    return _MARKS.sub("", value) if isinstance(value, str) else value


_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def _span(value: Json) -> Json:
    """Seconds as a person says them: `20 minutes`, `3 hours`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    size, unit = next(((size, unit) for size, unit in _UNITS if value >= 2 * size), _UNITS[-1])
    number = round(value / size)
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _milliseconds(value: Json) -> Json:
    """Milliseconds, from a second on as seconds: `850 ms`, `90 s`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return f"{value:.0f} ms" if value < 1000 else f"{round(value / 1000, 1):g} s"


def _host(value: Json) -> Json:
    """The host of an address."""
    return value.split("/")[2].partition(":")[0] if isinstance(value, str) and value.count("/") >= 2 else value


FORMS: Mapping[str, Callable[[Json], Json]] = {
    "name": _name,
    "place": _place,
    "words": _words,
    "span": _span,
    "ms": _milliseconds,
    "host": _host,
}
"""How a fact is shown: `name` and `place` shorten resource ids, `words` is a printed list, `span` and `ms` say seconds
and milliseconds, `host` is that of an address."""


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
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
