"""The nouns of pfdoctor: what every other module passes around. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = Any
"""A plain JSON value: None, bool, int, float, str, list or dict with string keys."""


class PfdoctorError(Exception):
    """Something the user can act on: printed as one line, never as a traceback.

    `exit_code` follows the table of exit codes in docs/exit-codes.md.
    """

    exit_code = 2


class NoInputError(PfdoctorError):
    """Nothing to examine was found where the user pointed."""

    exit_code = 5


class _Ranked(Enum):
    """An enum whose members compare by their place in the definition, the weakest first."""

    @property
    def rank(self) -> int:
        return list(type(self)).index(self)

    def __str__(self) -> str:
        return str(self.value)


class Severity(_Ranked):
    """How bad it is when the cause is true.

    `error`: cannot deploy or start, or answers wrongly or not at all on every request. `warning`: fails for some
    requests, loses data, breaks on the next build, or is a risk in production. `info`: worth knowing.
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Confidence(_Ranked):
    """How sure the claim behind a rule is; `certain` means its meaning was run or documented."""

    POSSIBLE = "possible"
    LIKELY = "likely"
    CERTAIN = "certain"


class Level(_Ranked):
    """Who decides about a remedy: `safe` applies by itself, `review` asks, `manual` is words."""

    SAFE = "safe"
    REVIEW = "review"
    MANUAL = "manual"


class Grade(_Ranked):
    """What a reference is worth: `run` was reproduced, `inferred` is our own conclusion."""

    INFERRED = "inferred"
    REPORTED = "reported"
    DOCUMENTED = "documented"
    RUN = "run"


class Status(Enum):
    """What a rule came to for one subject: cause (true, unknown, false) times symptom (see diagnose). Worst first."""

    CONFIRMED = "confirmed"
    LATENT = "latent"
    CONTRADICTED = "contradicted"
    SUSPECTED = "suspected"
    UNKNOWN = "unknown"
    PASS = "pass"
    NOT_APPLICABLE = "not-applicable"

    def __str__(self) -> str:
        return self.value

    @property
    def is_finding(self) -> bool:
        """Whether the report lists it among the findings."""
        return self in _FINDINGS

    @property
    def counts(self) -> bool:
        """Whether `--fail-on` counts it: only what is proven."""
        return self in (Status.CONFIRMED, Status.LATENT)


_FINDINGS = (Status.CONFIRMED, Status.LATENT, Status.CONTRADICTED, Status.SUSPECTED)


class SymptomState(Enum):
    """Whether a symptom left its trace: seen, absent from a complete and recent log, or not looked for."""

    SEEN = "seen"
    ABSENT = "absent"
    NOT_LOOKED = "not-looked"


class Unknown(NamedTuple):
    """A fact that nobody could observe, with the reason and, where there is one, the way to observe it.

    `code` is a stable slug; `permission` an Azure operation that was missing; `collect_command` what to run next.
    """

    code: str
    detail: str
    permission: str | None = None
    collect_command: str | None = None

    def to_json(self) -> dict[str, Json]:
        body = {"code": self.code, "detail": self.detail}
        if self.permission:
            body["permission"] = self.permission
        if self.collect_command:
            body["collect_command"] = self.collect_command
        return {"$unknown": body}

    @staticmethod
    def from_json(body: dict[str, Json]) -> Unknown:
        return Unknown(body["code"], body["detail"], body.get("permission"), body.get("collect_command"))


class Origin(NamedTuple):
    """Where a fact was observed: a place in a file. Lines and columns are 1-based; the path is relative to the root."""

    file: str
    line: int | None = None
    column: int | None = None
    end_column: int | None = None

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return place

    def to_json(self) -> list[Json]:
        """`[file, line, column, end column]`, cut after the last that is known."""
        values: list[Json] = [self.file, self.line, self.column, self.end_column]
        while values[-1] is None:
            values.pop()
        return values

    @staticmethod
    def from_json(values: list[Json]) -> Origin:
        return Origin(*values)


class Source(NamedTuple):
    """Where a live fact was observed: one answer of a service. `id` is the resource that was read, `time` ISO 8601."""

    id: str
    api_version: str | None = None
    status: int | None = None
    request_id: str | None = None
    time: str | None = None
    method: str = "GET"

    def __str__(self) -> str:
        """Method, the tail of the resource id that tells it apart, and the status: `GET workspaces/ws/… (200)`."""
        answer = "" if self.status is None else f" ({self.status})"
        return f"{self.method} {short_id(self.id)}{answer}"

    def to_json(self) -> dict[str, Json]:
        return self._asdict()

    @staticmethod
    def from_json(body: dict[str, Json]) -> Source:
        return Source(**body)


Place: TypeAlias = Origin | Source
"""Where a fact was observed: in a file, or in an answer of a service."""


def short_id(resource: str) -> str:
    """A resource id without what nobody reads: `workspaces/ws/onlineEndpoints/chat` of the whole path."""
    _, found, rest = resource.partition("/providers/")
    return rest.partition("/")[2] if found else resource


class Evidence(NamedTuple):
    """One fact that decided a verdict: its concrete path, its value and where it was observed."""

    path: str
    value: Json
    origin: Place | None = None


class Missing(NamedTuple):
    """One fact that a verdict needed and nobody could observe."""

    path: str
    reason: Unknown


class Verdict(NamedTuple):
    """The truth of a condition (True, False, or None for unknown), why, and what was missing to decide it."""

    truth: bool | None
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[Missing, ...] = ()


class Remedy(NamedTuple):
    """One way to mend a finding, as a person reads it: `edits` are exact, `steps` are words."""

    title: str
    level: Level
    edits: tuple[str, ...] = ()
    steps: str | None = None
    actions: tuple[dict[str, Json], ...] = ()


class Finding(NamedTuple):
    """What one rule came to for one subject of one case."""

    rule: str
    title: str
    category: str
    status: Status
    severity: Severity
    confidence: Confidence
    message: str
    case: str
    subject: str
    fingerprint: str
    origin: Place | None = None
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[Missing, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    related: tuple[Place, ...] = ()
    help_uri: str = ""

    @property
    def place(self) -> tuple[str, int, int]:
        """File, line and column to sort by; what has no place comes first in its case, and what is live after that."""
        if self.origin is None:
            return ("", 0, 0)
        if isinstance(self.origin, Source):
            return (self.origin.id, 0, 0)
        return (self.origin.file, self.origin.line or 0, self.origin.column or 0)


class Trace(NamedTuple):
    """A line of a log that shows a symptom, redacted."""

    source: str
    line: int | None
    text: str


class Cause(NamedTuple):
    """A rule as an explanation of a symptom: proven, suspected, or (a pass) ruled out, and by which facts.

    `fingerprint` names the finding, where there is one; `next_step` the cheapest observation that would settle it.
    """

    rule: str
    title: str
    status: Status
    fingerprint: str | None
    evidence: tuple[Evidence, ...] = ()
    next_step: str | None = None


class Differential(NamedTuple):
    """A symptom that was seen, and its causes: confirmed, then suspected, then ruled out.

    `follows` are other symptoms that were seen and explain this one: no worker boots where a module is missing.
    `symptom` is None for an error that was read and that no symptom covers; the title then says what its code means.
    """

    symptom: str | None
    title: str
    traces: tuple[Trace, ...]
    causes: tuple[Cause, ...]
    follows: tuple[str, ...] = ()

    @property
    def explained(self) -> bool:
        """Whether anything accounts for it."""
        return bool(self.follows) or any(cause.status.is_finding for cause in self.causes)


class CaseResult(NamedTuple):
    """All that diagnosing one case came to. `outcomes` maps each status to the ids of the rules that came to it.

    `differentials` holds a group for each symptom seen in a log; the findings then stand in its order. `observed` are
    pairs of a label and what was seen in Azure, told even where nothing is wrong.
    """

    name: str
    kind: str
    findings: tuple[Finding, ...]
    unknown: tuple[Finding, ...]
    outcomes: dict[Status, tuple[str, ...]]
    joins: tuple[dict[str, Json], ...] = ()
    excerpts: Mapping[str, dict[str, str]] = MappingProxyType({})
    differentials: tuple[Differential, ...] = ()
    observed: tuple[tuple[str, str], ...] = ()


class Report(NamedTuple):
    """The result of a run over any number of cases. `problems` are inputs that could not be examined at all."""

    cases: tuple[CaseResult, ...]
    rules: int
    problems: tuple[dict[str, Json], ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for case in self.cases for finding in case.findings)
