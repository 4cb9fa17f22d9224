"""Derived facts: what follows from the collected ones. They describe and never judge.

Each function takes a view and returns the derived facts; a derived element may carry `"$from": path`, the collected
fact it came from (relative to the view), and has its place. A view that already holds a derived fact keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from pfdoctor.core.derive.arguments import derive_arguments
from pfdoctor.core.derive.graph import derive_graph, mark_used_inputs
from pfdoctor.core.derive.hits import derive_hits
from pfdoctor.core.derive.needs import derive_needs, derive_packages, derive_serving
from pfdoctor.core.derive.settings import derive_serves_prompt_flow, derive_settings
from pfdoctor.core.derive.unexplained import derive_unexplained
from pfdoctor.core.derive.values import derive_values, mark_defaults
from pfdoctor.core.facts import VIEWS, Facts, join
from pfdoctor.core.model import Json, Unknown

if TYPE_CHECKING:
    from pfdoctor.core.derive.operations import Scope

View: TypeAlias = dict[str, Json]

# in this order: later ones read what earlier ones derived
_DERIVED: tuple[tuple[str, str, Callable[[View], Json]], ...] = (
    ("graph", "flow", derive_graph),
    ("packages", "requirements", derive_packages),
    ("serving", "requirements", derive_serving),
    ("needs", "flow", derive_needs),
    ("settings", "deployment", derive_settings),
)

FLOW_NOT_READ = Unknown(
    "not-read-live",
    "the flow's files lie in the model that the deployment serves, which is not downloaded",
    collect_command="pfdoctor check FOLDER_OF_THE_FLOW --live",
)
"""Why a live view says nothing of the flow: whatever depends on it stays unknown there."""


def derive(facts: Facts) -> Facts:
    """The facts with everything that follows from them."""
    changes: dict[str, Json] = {}
    origins = dict(facts.document.get("origins", {}))
    for name in VIEWS:
        view = facts.document.get(name)
        if view and name == "live" and "flow" not in view:
            view = {**view, "flow": FLOW_NOT_READ.to_json()}
        if isinstance(view, dict) and any(source in view for _, source, _ in _DERIVED):
            places = dict(origins.get(name, {}))
            changes[name] = _derive_view(view, places)
            origins[name] = places
    live: Json = changes.get("live", facts.document.get("live"))
    if live:
        # imported here: an offline check has no live view, and it is the one that has to start fast
        from pfdoctor.core.derive.live import derive_live

        declared = changes.get("declared", facts.document.get("declared"))
        changes["live"] = derive_live(live, declared, facts.document)
    if facts.has_logs and "hits" not in facts.document:
        changes["hits"] = derive_hits(facts.document.get("logs"))
    if facts.has_logs and "unexplained" not in facts.document:
        changes["unexplained"] = derive_unexplained(facts.document.get("logs"))
    derived = facts.with_document(**changes, origins=origins) if changes else facts
    return _with_access(derived)


def _with_access(facts: Facts) -> Facts:
    """The facts with `live.access`, which rests on both views, the logs and the clock."""
    live = facts.document.get("live")
    if not isinstance(live, dict) or "authorization" not in live or "access" in live:
        return facts
    # imported here: only a live case needs it
    from pfdoctor.core.derive.access import derive_access

    return facts.with_document(live={**live, "access": derive_access(facts.document)})


def scopes_to_read(facts: Facts) -> tuple[Scope, ...]:
    """Where role assignments, deny assignments and locks have to be read, by all other facts of a live case."""
    from pfdoctor.core.derive.operations import operations_of_deployer, operations_of_endpoint, scopes_of

    document = derive(facts).document
    return scopes_of([*operations_of_endpoint(document), *operations_of_deployer(document)])


def _derive_view(view: View, places: dict[str, Json]) -> View:
    extended = dict(view)
    for name, source, function in _DERIVED:
        if name not in extended and source in extended:
            extended[name] = _placed(function(extended), name, places)
    if _known(extended.get("flow")) and "graph" not in view:
        extended["flow"] = mark_used_inputs(extended)
        if _known(extended["graph"]):
            extended["flow"] = {**extended["flow"], "inputs": mark_defaults(extended)}
            for more in (derive_arguments(extended), derive_values(extended)):
                extended["graph"] |= _placed(more, "graph", places)
    if _known(extended.get("deployment")) and "settings" not in view:
        extended["deployment"] = {
            **extended["deployment"],
            "serves_prompt_flow": derive_serves_prompt_flow(extended),
        }
    return extended


def _known(value: Json) -> bool:
    return isinstance(value, dict) and "$unknown" not in value


def _placed(node: Json, path: str, places: dict[str, Json]) -> Json:
    """The derived facts without `$from`, the place of each source noted under the derived path."""
    if isinstance(node, dict):
        source = node.get("$from")
        if source is not None:
            place = _nearest(source, places)
            if place is not None:
                places[path] = place
        transparent = "$incomplete" in node
        return {
            key: _placed(value, path if transparent and key in ("items", "entries") else join(path, key), places)
            for key, value in node.items()
            if key != "$from"
        }
    if isinstance(node, list):
        return [_placed(element, f"{path}[{index}]", places) for index, element in enumerate(node)]
    return node


def _nearest(path: str, places: dict[str, Json]) -> Json:
    """The place of the path, or of the nearest thing around it."""
    while path:
        if path in places:
            return places[path]
        cut = max(path.rfind("."), path.rfind("["))
        path = path[:cut] if cut > 0 else ""
    return None


__all__ = ["derive", "scopes_to_read"]
