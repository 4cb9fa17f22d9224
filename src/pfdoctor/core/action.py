"""Actions: the closed union of what a remedy does. They target facts; the planner resolves them into steps.

`parse` checks an action as a rule writes it. What the facts will be after it is told by core/simulation.py.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from pfdoctor.core.condition import ConditionError, Scope, did_you_mean
from pfdoctor.core.facts import FactPath, FactsError, FactsSchema
from pfdoctor.core.message import render, show
from pfdoctor.core.model import Json, Origin
from pfdoctor.core.pattern import Pattern


class SetFact(NamedTuple):
    """Give a fact a value: a YAML value in a file, a property of a resource."""

    fact: FactPath
    value: Json


class RemoveFact(NamedTuple):
    """Make a fact absent."""

    fact: FactPath


class RenameKey(NamedTuple):
    """Give a key of a file its right name, keeping its value. `to` may hold placeholders."""

    fact: FactPath
    to: str


class ChangeRequirement(NamedTuple):
    """Add, change or remove a line of a requirements file. `requirement` is None to remove."""

    name: str
    requirement: str | None


class CreateFile(NamedTuple):
    """Create a file below the flow's folder. Both texts may hold placeholders."""

    path: str
    content: str


class MoveFile(NamedTuple):
    """Rename a file below the flow's folder. Both paths may hold placeholders."""

    source: str
    to: str


class AssignRole(NamedTuple):
    """Give the endpoint's identity a role at a scope. Both texts may hold placeholders."""

    role: str
    scope: str


class RouteTraffic(NamedTuple):
    """Send all of the endpoint's traffic to one deployment. The name may hold placeholders."""

    deployment: str


class EnableProvider(NamedTuple):
    """Register a resource provider in the subscription. The namespace may hold placeholders."""

    namespace: str


class RefreshKeys(NamedTuple):
    """Have the workspace fetch the current keys of what is attached to it. The name may hold placeholders."""

    workspace: str


Action: TypeAlias = (
    SetFact
    | RemoveFact
    | RenameKey
    | ChangeRequirement
    | CreateFile
    | MoveFile
    | AssignRole
    | RouteTraffic
    | EnableProvider
    | RefreshKeys
)

_KEYS: dict[str, tuple[str, ...]] = {
    "set": ("fact", "value"),
    "remove": ("fact",),
    "rename": ("fact", "to"),
    "requirement": ("name", "line"),
    "create_file": ("path", "content"),
    "move_file": ("source", "to"),
    "assign_role": ("role", "scope"),
    "route_traffic": ("deployment",),
    "register_provider": ("namespace",),
    "sync_keys": ("workspace",),
}


def parse(raw: Json, schema: FactsSchema, item: FactPath | None, where: tuple[str | int, ...]) -> Action:
    """The action of a mapping such as `{set: {fact: …, value: …}}`; raises ConditionError with its place."""
    if not isinstance(raw, dict) or len(raw) != 1:
        raise ConditionError("an action is a mapping with one key: " + ", ".join(_KEYS), where)
    ((kind, body),) = raw.items()
    if kind not in _KEYS:
        raise ConditionError(f"unknown action {kind!r}{did_you_mean(str(kind), _KEYS)}", where)
    if not isinstance(body, dict) or set(body) != set(_KEYS[kind]):
        raise ConditionError(f"{kind!r} takes exactly: {', '.join(_KEYS[kind])}", (*where, kind))
    if "fact" in body:
        try:
            path = schema.compile(body["fact"], item)
        except FactsError as error:
            raise ConditionError(str(error), (*where, kind, "fact")) from error
        if kind == "set":
            return SetFact(path, body["value"])
        return RemoveFact(path) if kind == "remove" else RenameKey(path, body["to"])
    if kind == "requirement":
        return ChangeRequirement(body["name"], body["line"])
    if kind == "create_file":
        return CreateFile(body["path"], body["content"])
    if kind == "move_file":
        return MoveFile(body["source"], body["to"])
    if kind == "assign_role":
        return AssignRole(body["role"], body["scope"])
    if kind == "route_traffic":
        return RouteTraffic(body["deployment"])
    return EnableProvider(body["namespace"]) if kind == "register_provider" else RefreshKeys(body["workspace"])


def describe(action: Action, scope: Scope, texts: dict[str, FactPath]) -> str:
    """The exact edit or command that the action comes to for these facts, in one line."""
    match action:
        case SetFact(fact, value):
            verb = "add" if scope.look_up(fact).value is None else "set"
            shown = as_yaml(render_value(value, fact, texts, scope))
            return f"{_place(fact, scope)}{verb} {_key(fact, scope)}: {shown}"
        case RemoveFact(fact):
            return f"{_place(fact, scope)}remove {_key(fact, scope)}"
        case RenameKey(fact, to):
            return f"{_place(fact, scope)}rename {_key(fact, scope)} to {render(to, texts, scope)}"
        case ChangeRequirement(name, None):
            return f"in the requirements: remove the line of {render(name, texts, scope)}"
        case ChangeRequirement(name, line):
            wanted = render(str(line), texts, scope)
            return f"in the requirements: write the line of {render(name, texts, scope)} as {wanted}"
        case CreateFile(path, content):
            return f"create {render(path, texts, scope)} holding: {render(content, texts, scope).strip()}"
        case MoveFile(source, to):
            return f"move {render(source, texts, scope)} to {render(to, texts, scope)}"
        case AssignRole(role, where):
            return (
                f"az role assignment create --assignee-object-id {_endpoint_principal(scope)}"
                " --assignee-principal-type ServicePrincipal"
                f' --role "{render(role, texts, scope)}" --scope {render(where, texts, scope)}'
            )
        case RouteTraffic(deployment):
            name, traffic = _name_of("endpoint", scope), render(deployment, texts, scope)
            return f'az ml online-endpoint update {_where(scope)} --name {name} --traffic "{traffic}=100"'
        case EnableProvider(namespace):
            return f"az provider register --namespace {render(namespace, texts, scope)} --wait"
        case RefreshKeys(workspace):
            return f"az ml workspace sync-keys --name {render(workspace, texts, scope)}"


def _name_of(section: str, scope: Scope) -> str:
    body = (scope.facts.document.get(scope.view) or {}).get(section)
    name = body.get("name") if isinstance(body, dict) else None
    return name if isinstance(name, str) else f"<name of the {section}>"


def _where(scope: Scope) -> str:
    """The flags that tell the Azure CLI which workspace, with what to fill in where it is not known."""
    workspace = (scope.facts.document.get("live") or {}).get("workspace")
    known = workspace if isinstance(workspace, dict) else {}
    group, name = known.get("resource_group"), known.get("name")
    return f"-g {group if isinstance(group, str) else '<group>'} -w {name if isinstance(name, str) else '<workspace>'}"


def _endpoint_principal(scope: Scope) -> str:
    """The object id that the endpoint's identity has in Azure, or what to look up."""
    identity = (scope.facts.document.get("live") or {}).get("identity")
    principal = identity.get("principal_id") if isinstance(identity, dict) else None
    return principal if isinstance(principal, str) else "<object id of the endpoint's identity>"


def render_value(value: Json, target: FactPath, texts: dict[str, FactPath], scope: Scope) -> Json:
    """A value to set, with the placeholders of a text filled in; a placeholder alone may be a number."""
    if not isinstance(value, str):
        return value
    only = texts.get(value[1:-1]) if value[:1] == "{" and value[-1:] == "}" else None
    number = scope.look_up(only).value if only is not None else None
    takes = target.shape.get("type", ())
    is_number = isinstance(number, int | float) and "string" not in takes and {"integer", "number"} & set(takes)
    return number if is_number else render(value, texts, scope)


def filled(raw: Json, texts: dict[str, FactPath], scope: Scope) -> Json:
    """What a rule says of an action, with its placeholders filled in; one that stands alone may be a number."""
    if isinstance(raw, dict):
        return {name: filled(one, texts, scope) for name, one in raw.items()}
    if isinstance(raw, list):
        return [filled(one, texts, scope) for one in raw]
    if not isinstance(raw, str):
        return raw
    alone = texts.get(raw[1:-1]) if raw[:1] == "{" and raw[-1:] == "}" else None
    value = scope.look_up(alone).value if alone is not None else None
    return value if isinstance(value, int | float) else render(raw, texts, scope)


# facts that stand under another key in the file than in the schema
_FILE_KEYS = {
    "endpoint.enforce_access_to_default_secret_stores": "properties.enforce_access_to_default_secret_stores",
    "endpoint.identity_type": "identity.type",
    "endpoint.schema_url": "$schema",
    "deployment.schema_url": "$schema",
    "deployment.scale_type": "scale_settings.type",
}


def _key(fact: FactPath, scope: Scope) -> str:
    """The dotted key as the file has it, from its top: what a person adds or changes."""
    if fact.text in _FILE_KEYS:
        return _FILE_KEYS[fact.text]
    keys = [step.key for step in fact.steps]
    if fact.root == "it":
        if not keys or keys == ["value"]:
            return _noted_key(scope)
        return {"source_tool": "source.tool", "source_type": "source.type"}.get(".".join(keys), ".".join(keys))
    section, *rest = keys
    view = scope.facts.document.get(scope.view) or {}
    body = view.get(section)
    inline = isinstance(body, dict) and body.get("inline") is True
    return ".".join([section, *rest] if inline else rest)


def _noted_key(scope: Scope) -> str:
    """The key that an item speaks of: an unknown key, a variable, the slot of a reference."""
    item = scope.item.value if scope.item is not None else None
    names = (item.get(name) for name in ("key", "variable", "slot", "what", "name")) if isinstance(item, dict) else ()
    return next((name for name in names if isinstance(name, str)), "it")


def _place(fact: FactPath, scope: Scope) -> str:
    origin = scope.facts.origin(scope.look_up(fact).path)
    return f"{origin.file}:{origin.line or 1}: " if isinstance(origin, Origin) else ""


def as_yaml(value: Json) -> str:
    """A value on one line, as YAML flow style would show it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(element)}" for key, element in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    if isinstance(value, str) and value in ("true", "false", "null", ""):
        return f'"{value}"'
    return "null" if value is None else show(value)


def concrete_keys(path: str) -> list[str | int]:
    """`declared.flow.nodes[2]` as keys and indexes."""
    keys: list[str | int] = []
    position = 0
    while position < len(path):
        if path[position] == ".":
            position += 1
        elif path[position] == "[":
            end = path.index("]", position)
            keys.append(int(path[position + 1 : end]))
            position = end + 1
        elif path[position] == '"':
            quoted = _QUOTED.match(path, position)
            end = quoted.end() if quoted is not None else len(path)
            keys.append(path[position + 1 : end - 1].replace('\\"', '"').replace("\\\\", "\\"))
            position = end
        else:
            end = min((i for i in (path.find(".", position), path.find("[", position)) if i >= 0), default=len(path))
            keys.append(path[position:end])
            position = end
    return keys


_QUOTED = Pattern(r'"(?:[^"\\]|\\.)*"')
