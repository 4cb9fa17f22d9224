"""The nouns of a plan: edits, steps, fixes, what could not be planned, and the forecast.

An edit is what a step does: to a file (here), or to a resource in Azure (core/plan/resource.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

from pfdoctor.core.model import Json, Level, PfdoctorError, short_id
from pfdoctor.core.plan.resource import (
    AZURE_KINDS,
    AzureEdit,
    BodyChange,
    NewVersion,
    UpdateDeployment,
    UpdateEndpoint,
)

SCHEMA_NAME = "pfdoctor/plan/v1"

YamlPath: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a YAML document."""


class RefusedError(Exception):
    """An edit that cannot be made, with the reason in words that follow a file's name or a colon."""


class PassingError(RefusedError):
    """An edit that could not be made this time; the same again may succeed."""


class PlanError(PfdoctorError):
    """A plan file that is none."""


class StaleError(PfdoctorError):
    """What the plan was made for is not what is there now."""

    exit_code = 7


class SetValue(NamedTuple):
    """Give the YAML path of a file a value; `old` is the one it had (null where there was none), redacted."""

    file: str
    path: YamlPath
    value: Json
    old: Json = None


class RemoveValue(NamedTuple):
    """Remove what stands at the YAML path of a file; `old` is the value it had, redacted."""

    file: str
    path: YamlPath
    old: Json = None


class RenameEntry(NamedTuple):
    """Give the last key of the YAML path another name."""

    file: str
    path: YamlPath
    to: str


class WriteRequirement(NamedTuple):
    """Write, change or (`line` is None) remove the requirement of a package in a requirements or conda file."""

    file: str
    name: str
    line: str | None


class NewFile(NamedTuple):
    """Create a file that is not there."""

    file: str
    content: str


class MovedFile(NamedTuple):
    """Move a file to a name that is free."""

    file: str
    to: str


FileEdit: TypeAlias = SetValue | RemoveValue | RenameEntry | WriteRequirement | NewFile | MovedFile
Edit: TypeAlias = FileEdit | AzureEdit

_KINDS: dict[str, type] = {
    "set": SetValue,
    "remove": RemoveValue,
    "rename": RenameEntry,
    "requirement": WriteRequirement,
    "create-file": NewFile,
    "move-file": MovedFile,
    **AZURE_KINDS,
}


class Permission(NamedTuple):
    """An operation of Azure, the scope that it is checked at, and whether whoever made the plan may do it there.

    `held` is None where the role assignments do not tell.
    """

    action: str
    scope: str
    held: bool | None


class Step(NamedTuple):
    """One edit, with what a person decides on and what applying checks before and after it.

    `expects` maps each file it touches to the SHA-256 of its bytes when the plan was made (null: not there), and each
    resource to that of its content. `permissions` are all that it needs of Azure. `permitted`: whether whoever made the
    plan may do it; None where that is not known.
    """

    id: int
    edit: Edit
    level: Level
    title: str
    needs: str
    effect: str
    inverse: str
    expects: dict[str, str | None]
    permitted: bool | None = None
    permissions: tuple[Permission, ...] = ()

    @property
    def lacking(self) -> tuple[Permission, ...]:
        """What whoever made the plan is known not to be allowed."""
        return tuple(one for one in self.permissions if one.held is False)


class Fix(NamedTuple):
    """One finding and the steps that mend it, by their ids, in order; steps may be shared between fixes."""

    rule: str
    case: str
    subject: str
    fingerprint: str
    message: str
    title: str
    level: Level
    steps: tuple[int, ...]


class NotPlanned(NamedTuple):
    """A finding that the plan does not mend, and why."""

    rule: str
    case: str
    subject: str
    fingerprint: str
    reason: str


class Outcome(NamedTuple):
    """A finding before or after the plan, by its identity and what a person calls it."""

    rule: str
    case: str
    subject: str
    fingerprint: str
    message: str


class Forecast(NamedTuple):
    """What re-running every rule on the predicted facts comes to.

    `revealed` are findings of rules that could not be decided before: no fix brought them about. Of `undecided` nobody
    can tell before the facts are collected again.
    """

    solved: tuple[Outcome, ...]
    remaining: tuple[Outcome, ...]
    introduced: tuple[Outcome, ...]
    revealed: tuple[Outcome, ...]
    undecided: tuple[Outcome, ...]


class Target(NamedTuple):
    """The endpoint that was examined, and how: what applying needs to look again.

    `endpoint` is its resource id; `score` the file whose request was sent; `cloud` as it was named, null for the
    environment's own; with `planned`, what the files declare of it need not exist yet.
    """

    endpoint: str
    deployment: str | None = None
    probe: bool = False
    score: str | None = None
    cloud: str | None = None
    planned: bool = False


class Plan(NamedTuple):
    """What would be done, in order. `paths` are those that were examined, as they were typed."""

    paths: tuple[str, ...]
    fixes: tuple[Fix, ...]
    steps: tuple[Step, ...]
    not_planned: tuple[NotPlanned, ...]
    forecast: Forecast | None
    live: Target | None = None

    def files(self) -> tuple[str, ...]:
        """Every file that a step touches, each once."""
        edits = (step.edit for step in self.steps)
        return tuple(dict.fromkeys(file for edit in edits if not isinstance(edit, AzureEdit) for file in touched(edit)))

    def file_edits(self) -> list[FileEdit]:
        """What the plan does to files, in order."""
        return [step.edit for step in self.steps if not isinstance(step.edit, AzureEdit)]

    @property
    def azure(self) -> tuple[Step, ...]:
        """The steps that change something in Azure."""
        return tuple(step for step in self.steps if isinstance(step.edit, AzureEdit))

    def only(self, ids: set[int]) -> Plan:
        """The plan with these steps alone, and the fixes that they complete."""
        fixes = tuple(fix for fix in self.fixes if set(fix.steps) <= ids)
        kept = {step for fix in fixes for step in fix.steps}
        return self._replace(fixes=fixes, steps=tuple(one for one in self.steps if one.id in kept))


class Sources(Protocol):
    """What the planner asks of the files. Nothing is written: edits are tried on copies in memory."""

    def digest(self, file: str) -> str | None:
        """SHA-256 of the file's bytes; None when it is not there."""

    def path_at(self, file: str, line: int, column: int) -> YamlPath | None:
        """The YAML path of what begins at a place of a file."""

    def after(self, edits: Sequence[FileEdit]) -> tuple[Sources, tuple[bool, ...]]:
        """The files after the edits, and whether each changed anything. Raises RefusedError."""


def touched(edit: Edit) -> tuple[str, ...]:
    """The files that an edit reads, writes, creates or takes away; of one of Azure the id of its resource."""
    if isinstance(edit, AzureEdit):
        return (edit.target,)
    return (edit.file, edit.to) if isinstance(edit, MovedFile) else (edit.file,)


def place_of(edit: Edit) -> str:
    """What the edit changes, as a person calls it: the file, or the tail of the resource's id."""
    return short_id(edit.target) or edit.target if isinstance(edit, AzureEdit) else edit.file


def edit_to_json(edit: Edit) -> dict[str, Json]:
    kind = next(name for name, one in _KINDS.items() if type(edit) is one)
    body: dict[str, Json] = {
        "kind": kind,
        **{key: list(value) if key == "path" else value for key, value in edit._asdict().items()},
    }
    if isinstance(edit, NewVersion | UpdateDeployment | UpdateEndpoint):
        body["changes"] = [{**one._asdict(), "path": list(one.path)} for one in edit.changes]
    return body


def edit_from_json(body: dict[str, Json]) -> Edit:
    fields = {key: value for key, value in body.items() if key != "kind"}
    if "path" in fields:
        fields["path"] = tuple(fields["path"])
    if "changes" in fields:
        fields["changes"] = tuple(BodyChange(**{**one, "path": tuple(one["path"])}) for one in fields["changes"])
    edit: Edit = _KINDS[body["kind"]](**fields)
    return edit
