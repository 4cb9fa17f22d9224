"""Actions into edits: an action targets a fact, an edit a place of a file."""

from __future__ import annotations

from pfdoctor.core import message
from pfdoctor.core.action import (
    Action,
    ChangeRequirement,
    CreateFile,
    MoveFile,
    RemoveFact,
    RenameKey,
    SetFact,
    render_value,
)
from pfdoctor.core.condition import Scope
from pfdoctor.core.facts import FactPath, members
from pfdoctor.core.model import Json, Level, Unknown
from pfdoctor.core.plan.live import LIVE_ACTIONS, resolve_live
from pfdoctor.core.plan.place import spelled, spot_of
from pfdoctor.core.plan.resource import AzureEdit, Resources
from pfdoctor.core.plan.step import (
    Edit,
    MovedFile,
    NewFile,
    RefusedError,
    RemoveValue,
    RenameEntry,
    SetValue,
    Sources,
    WriteRequirement,
)
from pfdoctor.core.simulation import normalised


def least_level(edit: Edit) -> Level:
    """The least strict level of an edit; of most it is safe, and the remedy decides. No write to Azure is safe."""
    return Level.REVIEW if isinstance(edit, AzureEdit | MovedFile) else Level.SAFE


_TOKENS = ("[redacted", "(unknown)", "(none)")


def rendered(action: Action, texts: dict[str, FactPath], scope: Scope) -> Action:
    """The action with every placeholder filled in. Raises RefusedError where a value is a secret or unknown."""

    def text(template: str) -> str:
        result = message.render(template, texts, scope)
        if any(token in result for token in _TOKENS):
            raise RefusedError("a value that it would write is not known here")
        return result

    if isinstance(action, LIVE_ACTIONS):
        return type(action)(*map(text, action))
    match action:
        case SetFact(fact, value):
            if isinstance(value, str):
                text(value)
            return SetFact(fact, render_value(value, fact, texts, scope))
        case RenameKey(fact, to):
            return RenameKey(fact, text(to))
        case ChangeRequirement(name, line):
            return ChangeRequirement(text(name), None if line is None else text(line))
        case CreateFile(path, content):
            return CreateFile(text(path), text(content))
        case MoveFile(source, to):
            return MoveFile(text(source), text(to))
        case RemoveFact():
            return action


def resolve(action: Action, scope: Scope, sources: Sources, resources: Resources) -> tuple[Edit, ...]:
    """The edits of a rendered action; none for a fact that restates another. Raises RefusedError with the reason."""
    if isinstance(action, LIVE_ACTIONS) or _is_live(action, scope):
        return resolve_live(action, scope, resources)
    match action:
        case SetFact() | RemoveFact() | RenameKey():
            return _edit_of_fact(action, scope, sources)
        case ChangeRequirement(name, line):
            return _requirements(name, line, scope)
        case CreateFile(path, content):
            return (NewFile(_in_flow_folder(path, scope), content),)
        case MoveFile(source, to):
            return (MovedFile(_in_flow_folder(source, scope), _in_flow_folder(to, scope)),)
        case _:
            raise RefusedError("it is no change of a file")


def _is_live(action: Action, scope: Scope) -> bool:
    """Whether the fact was told by Azure: its path names the view, or the rule ran on that."""
    if isinstance(action, SetFact | RemoveFact | RenameKey):
        return scope.look_up(action.fact).path.startswith("live.")
    return False


def _edit_of_fact(action: SetFact | RemoveFact | RenameKey, scope: Scope, sources: Sources) -> tuple[Edit, ...]:
    found = scope.look_up(action.fact)
    spot = spot_of(found.path, scope.facts, sources)
    if spot is None:
        return ()
    old = found.value.to_json() if isinstance(found.value, Unknown) else spelled(found.path, found.value, scope.facts)
    match action:
        case SetFact(_, value):
            return (SetValue(spot.file, spot.path, spelled(found.path, value, scope.facts), old),)
        case RemoveFact():
            return (RemoveValue(spot.file, spot.path, old),)
        case RenameKey(_, to):
            return (RenameEntry(spot.file, spot.path, to),)


def _requirements(name: str, line: str | None, scope: Scope) -> tuple[Edit, ...]:
    """The package's line in every file that has one; else a new line in the file that is installed."""
    declared = scope.facts.document.get("declared") or {}
    requirements = declared.get("requirements")
    if not isinstance(requirements, dict) or "$unknown" in requirements:
        raise RefusedError("there is no requirements file here")
    entries, unread = members(requirements["entries"])
    named = [entry["file"] for _, entry in entries if entry["name"] == normalised(name)]
    files = dict.fromkeys(file for file in named if isinstance(file, str))
    if not files:
        if line is None:
            raise RefusedError(f"no line of a requirements file names {name}")
        if unread is not None:
            raise RefusedError(f"not every requirements file could be read: {unread.detail}")
        files = dict.fromkeys([_installed_file(requirements, declared)])
    return tuple(WriteRequirement(file, name, line) for file in files)


def _installed_file(requirements: dict[str, Json], declared: dict[str, Json]) -> str:
    """The file that a new line goes into: the first that is there and that nothing else includes."""
    files = [one for one in requirements["files"] if one["exists"] is True and one["named_by"] != "requirements"]
    entries, _ = members(requirements["entries"])
    for one in files:
        named = one["path"].rpartition("/")[2]
        # an entry that another fix adds is not in a file yet
        written = [entry["file"] for _, entry in entries if isinstance(entry["file"], str)]
        known = [file for file in written if file.rpartition("/")[2] == named]
        if known:
            return str(known[0])
        flow = declared.get("flow")
        if one["named_by"] in ("flow", "folder") and isinstance(flow, dict) and isinstance(flow.get("path"), str):
            return joined(flow["path"], one["path"])
    raise RefusedError("there is no requirements file to write it in")


def joined(folder: str, path: str) -> str:
    """A path below a folder, both with slashes; `.` is the root."""
    parts: list[str] = [] if folder == "." else folder.split("/")
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise RefusedError(f"{path} leads out of what may be written")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _in_flow_folder(path: str, scope: Scope) -> str:
    flow = (scope.facts.document.get("declared") or {}).get("flow")
    if not isinstance(flow, dict) or not isinstance(flow.get("path"), str):
        raise RefusedError("the flow's folder is not here")
    if path.startswith("/"):
        raise RefusedError(f"{path} leads out of what may be written")
    return joined(flow["path"], path)
