"""What the deployment of a case is known to use: connections, index lookups, model APIs, environment variables.

The flow is known by its files (the declared view) or not at all; a log that shows an operation proves it as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.core.access.reading import decoded, elements, field, text
from pfdoctor.core.derive.nodes import definitions, items, tool_of
from pfdoctor.core.derive.tools import PACKAGE_TOOLS, RENAMED_TOOLS
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

FLOW_UNREAD = Unknown("flow-unread", "the flow's files were not read", None, "pfdoctor check PATH --live")
_DATASTORE = Pattern(r"datastores/([A-Za-z0-9_-]+)(?:/|\Z)")
_DATA_ASSET = Pattern(r"azureml:(?!/)[^:/\s]+:[^:/\s]+\Z|azureml://[^\s]*/data/", re.IGNORECASE)


class Used(NamedTuple):
    """Names that are used, and why there may be more."""

    names: tuple[str, ...]
    why_incomplete: Unknown | None


class _Record(NamedTuple):
    """A hit or an error of a log: its texts, in lower case, and whom it names, if anybody."""

    text: str
    object_id: str | None


class Usage:
    """Reads one facts document; `live` is its live view."""

    def __init__(self, document: dict[str, Json]) -> None:
        live, declared = document.get("live"), document.get("declared")
        self.live: dict[str, Json] = dict(live) if isinstance(live, dict) else {}
        self._declared: Json = declared
        if isinstance(declared, dict):
            # what does not exist yet will be as the files plan it
            absent = (name for name in ("deployment", "endpoint", "settings") if self.live.get(name, "") is None)
            self.live |= {name: declared[name] for name in absent if name in declared}
        views = [view for view in (self.live, declared) if isinstance(view, dict)]
        self._view = next((view for view in views if isinstance(field(view, "flow"), dict)), None)
        self._records = list(_records(document.get("logs")))
        # what the endpoint answered when it was called
        self._answers = "\n".join(_texts(self.live.get("data_plane"))).lower()

    def fact(self, *keys: str) -> Json:
        """A fact of the live view."""
        value: Json = self.live
        for key in keys:
            value = field(value, key)
        return value

    def is_logged(self, *marks: str) -> bool:
        """Whether a log or an answer shows one of these texts, in any case: a refused action, the words of an error.

        What was refused to somebody else says nothing of the endpoint.
        """
        principal = self.fact("identity", "principal_id")
        mine = [one.text for one in self._records if one.object_id in (None, _lower(principal))]
        return any(mark.lower() in text for mark in marks for text in (self._answers, *mine))

    def is_refused_to_caller(self, action: str) -> bool:
        """Whether a log shows that the action was refused to whoever runs pfdoctor."""
        caller = _lower(self.fact("caller", "principal_id"))
        refused = [one.text for one in self._records if one.object_id is not None and one.object_id == caller]
        return any(action.lower() in text for text in refused)

    @property
    def is_declared(self) -> bool:
        """Whether files define the endpoint or the deployment: whoever has them means to deploy them."""
        return any(isinstance(field(self._declared, key), dict) for key in ("deployment", "endpoint"))

    # ------------------------------------------------------------------------------------------------ the variables

    def variable(self, name: str) -> Json:
        """The text of an environment variable of the deployment; null when unset."""
        variables = self.fact("deployment", "environment_variables")
        if isinstance(variables, dict) and "$incomplete" in variables:
            entries = variables.get("entries", {})
            return field(entries, name) if name in entries else Unknown.from_json(variables["$incomplete"])
        if isinstance(variables, Unknown) or variables is None:
            return variables
        value = field(variables, name) if name in variables else None
        return value if value is None or isinstance(value, str | Unknown) else json.dumps(value)

    def variables(self) -> dict[str, str]:
        """The variables whose text is known."""
        variables = self.fact("deployment", "environment_variables")
        entries = variables.get("entries", variables) if isinstance(variables, dict) else {}
        return {name: value for name, value in entries.items() if isinstance(value, str)}

    def why_variables_are_open(self) -> Unknown | None:
        """Why a variable, or its text, may not be known; None when all were read."""
        variables = self.fact("deployment", "environment_variables")
        if isinstance(variables, Unknown):
            return variables
        if not isinstance(variables, dict):
            return None
        if "$incomplete" in variables:
            return Unknown.from_json(variables["$incomplete"])
        return next((one for one in map(decoded, variables.values()) if isinstance(one, Unknown)), None)

    def overrides(self, connection: str) -> Json:
        """Whether a variable stands for the connection, so that the serving app does not ask the workspace for it.

        It looks for the name with `_` for each blank; JSON replaces the connection, any other text renames it.
        """
        value = self.variable(connection.replace(" ", "_"))
        if not isinstance(value, str):
            return False if value is None else value
        if "[redacted" in value:
            return Unknown("redacted", f"the variable of the connection {connection} was redacted")
        if value.strip().startswith("${{"):
            return True
        try:
            return isinstance(json.loads(value), dict)
        except ValueError:
            return False

    # ----------------------------------------------------------------------------------------------------- the flow

    @property
    def knows_flow(self) -> bool:
        return self._view is not None

    def connections(self) -> Used:
        """The connections that nodes of the flow name."""
        if self._view is None:
            return Used((), FLOW_UNREAD)
        found, why = elements(field(field(self._view, "needs"), "connections"))
        names = [one["name"] for one in found if isinstance(one.get("name"), str) and one.get("placeholder") is False]
        if len(names) < len(found) and why is None:
            why = Unknown("placeholder", "a connection's name is a placeholder")
        if not self._shows_connections():
            why = why or Unknown("own-code", "the code of the flow may take connections that no node names")
        return Used(tuple(dict.fromkeys(names)), why)

    def _shows_connections(self) -> bool:
        """Whether every connection is named where pfdoctor sees it: no flex flow, no tool whose inputs are unknown."""
        view = self._view or {}
        if field(view["flow"], "kind") not in ("dag", None):
            return False
        for node in self._nodes():
            tool = node.get("source_tool")
            if tool and RENAMED_TOOLS.get(tool, tool) not in PACKAGE_TOOLS:
                return False
            if node.get("type") == "python" and not tool and tool_of(view, node) is None:
                return False
        return True

    def reads_datastore(self) -> Json:
        """Whether an index lookup reads a datastore of the workspace."""
        if self.is_logged("workspaces/datastores/read"):
            return True
        if self._view is None:
            return FLOW_UNREAD
        return field(field(self._view, "needs"), "datastores")

    def lookup_texts(self) -> list[str]:
        """All that is written in the inputs of nodes."""
        return [value for node in self._nodes() for value in _texts(node.get("inputs"))]

    def index_datastores(self) -> tuple[str, ...]:
        """The datastores that inputs of nodes name."""
        found = [name for value in self.lookup_texts() for name in _DATASTORE.findall(value)]
        return tuple(dict.fromkeys(found))

    def names_data_asset(self) -> bool | Unknown:
        """Whether an index is named as a data asset of the workspace."""
        if self._view is None:
            return FLOW_UNREAD
        return any(_DATA_ASSET.search(value) for value in self.lookup_texts())

    def apis(self, connection: str) -> Used:
        """What is called with the connection: chat, completion, embedding; incomplete where a tool's own code calls."""
        if self._view is None:
            return Used((), FLOW_UNREAD)
        found: list[str] = []
        why = self.connections().why_incomplete
        for node in self._nodes():
            if connection not in [node.get("connection"), *(one.get("value") for one in items(node.get("inputs")))]:
                continue
            tool = str(node.get("source_tool") or "").lower()
            if node.get("type") == "llm" and node.get("api") in ("chat", "completion"):
                found.append(str(node["api"]))
            elif "embedding" in tool:
                found.append("embedding")
            elif "gpt4v" in tool or "llm_vision" in tool:
                found.append("chat")
            else:
                why = why or Unknown("own-code", f"what {node.get('name')} calls with it is in its code")
        return Used(tuple(dict.fromkeys(found)), why)

    def imports(self, module: str) -> bool:
        """Whether the flow's code imports the module or one below it."""
        if self._view is None:
            return False
        found, _ = elements(field(field(self._view, "needs"), "modules"))
        names = [text(one, "module") or "" for one in found]
        return any(name == module or name.startswith(f"{module}.") for name in names)

    def _nodes(self) -> list[dict[str, Json]]:
        if self._view is None:
            return []
        return [definition.node for definition in definitions(self._view) if definition.served]


def _records(logs: Json) -> Iterator[_Record]:
    for log in elements(logs)[0]:
        for key, named in (("hits", "captures"), ("errors", "fields")):
            for one in elements(field(log, key) if isinstance(log, dict) and key in log else None)[0]:
                yield _Record("\n".join(_texts(one)).lower(), _lower(field(field(one, named), "object_id")))


def _lower(value: Json) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _texts(value: Json) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
