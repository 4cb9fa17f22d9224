"""What goes along with a change of Azure: the files that describe the resource say the same afterwards.

Otherwise the next deployment from the files takes the fix back. Only what the files said as Azure had it goes along:
where both differed before, somebody has to say which is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pfdoctor.core.action import Action, RemoveFact, SetFact
from pfdoctor.core.condition import Scope
from pfdoctor.core.facts import FactsSchema
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.plan.resource import NewVersion, UpdateDeployment
from pfdoctor.core.plan.step import Edit

_SECTIONS = ("live.deployment.", "live.endpoint.", "live.environment.")
_VERSION = "live.environment.version"


def along(actions: Sequence[Action], edits: Sequence[Edit], scope: Scope, schema: FactsSchema) -> Iterator[Action]:
    """The actions on the files of the case; none where it has no files."""
    if not scope.facts.has_view("declared") or not scope.facts.has_view("live"):
        return
    for action in actions:
        if not isinstance(action, SetFact | RemoveFact):
            continue
        found = scope.look_up(action.fact)
        if not found.path.startswith(_SECTIONS) or "[" in found.path or found.path == _VERSION:
            continue
        twin = schema.compile("declared" + found.path.removeprefix("live"))
        if _same(scope.look_up(twin).value, found.value):
            yield action._replace(fact=twin)
    version = next(filter(None, map(_version, edits)), None)
    if version is not None:
        yield from _pins(version, scope, schema)


def _same(declared: Json, live: Json) -> bool:
    if isinstance(declared, Unknown) or isinstance(live, Unknown):
        return False
    return bool(_bare(declared) == _bare(live))


def _bare(value: Json) -> Json:
    """Without what collectors compute, and without keys that say nothing."""
    if not isinstance(value, dict):
        return value
    return {key: _bare(child) for key, child in value.items() if key != "deviations" and child is not None} or None


def _version(edit: Edit) -> str | None:
    """The version of the environment that a deployment is pointed at."""
    if isinstance(edit, NewVersion):
        return edit.version
    changes = edit.changes if isinstance(edit, UpdateDeployment) else ()
    pins = (one.value for one in changes if one.path[-1] == "environmentId")
    return next((str(pin).rpartition("/versions/")[2] for pin in pins if "/versions/" in str(pin)), None)


def _pins(version: str, scope: Scope, schema: FactsSchema) -> Iterator[Action]:
    """The version in the file of the deployment, and in that of the environment, which would be refused again."""
    live = scope.facts.document["live"].get("environment")
    for path in ("declared.deployment.environment", "declared.environment"):
        name, pinned = (scope.look_up(schema.compile(f"{path}.{key}")).value for key in ("name", "version"))
        if isinstance(live, dict) and isinstance(name, str) and (name, pinned) == (live["name"], live["version"]):
            yield SetFact(schema.compile(f"{path}.version"), version)
