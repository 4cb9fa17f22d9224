"""Everything given goes into one case: files, logs, and what a live endpoint answers, each in its view."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.cli.live import unread
from pfdoctor.core.facts import SCHEMA_NAME, Facts
from pfdoctor.core.model import Json, PfdoctorError

if TYPE_CHECKING:
    from pfdoctor.cli.live import Live
    from pfdoctor.core.rule import Catalogue

_NAMES_SHOWN = 4


class Gathered(NamedTuple):
    """The cases, the logs that went into them, and the inputs that could not be examined."""

    cases: list[Facts]
    logs: list[dict[str, Json]]
    problems: list[dict[str, Json]]


class Inputs(NamedTuple):
    """What the user gave: paths (and a file that lists more), logs, and a live endpoint; each may be missing."""

    paths: Sequence[Path] | None
    files_from: str | None
    logs: Sequence[str] | None
    live: Live

    def gather(self, catalogue: Catalogue) -> Gathered:
        """Everything that was given, collected and joined. Raises PfdoctorError where it does not go together."""
        problems: list[dict[str, Json]] = []
        # given beside files or an endpoint, a text is of these, whatever it looks like
        ours = bool(self.paths) or self.files_from is not None or self.live.given.any
        logs = self.read_logs(catalogue, problems, ours=ours)
        declared = self._read_files(problems) if self.paths or self.files_from is not None else []
        if not self.live.given.any:
            return Gathered(combine(declared, [], logs), logs, problems)
        # what the flow's files need tells which permissions have to be read
        view = likely(declared, "the endpoint").document.get("declared") if declared else None
        answers = self._asked(declared).collect(catalogue, view)
        problems += filter(None, map(unread, answers))
        return Gathered(combine(declared, answers, logs), logs, problems)

    def _asked(self, declared: Sequence[Facts]) -> Live:
        """The live endpoint; where none was named, the one that the files name."""
        return self.live.of_files(likely(declared, "the endpoint")) if declared else self.live

    def read_logs(self, catalogue: Catalogue, problems: list[dict[str, Json]], *, ours: bool) -> list[dict[str, Json]]:
        """The logs; what could not be read of them is added to `problems`."""
        if not self.logs:
            return []
        from pfdoctor.cli.output import say
        from pfdoctor.collect.logs import Knowledge, read

        if "-" in self.logs and sys.stdin.isatty():
            say("paste the text, then press Ctrl-D on a line of its own (Ctrl-Z and Enter on Windows)")
        found = read(self.logs, catalogue.symptoms, Knowledge(ours=ours))
        problems += found.problems
        return found.logs

    def _read_files(self, problems: list[dict[str, Json]]) -> Sequence[Facts]:
        from pfdoctor.cli.progress import Bar
        from pfdoctor.cli.run import given_paths
        from pfdoctor.collect.folder import collect

        with closing(Bar(wanted=self.live.progress)) as bar:
            collected = collect(given_paths(self.paths, self.files_from), progress=bar)
        problems += collected.problems
        return collected.cases


def combine(declared: Sequence[Facts], live: Sequence[Facts], logs: Sequence[dict[str, Json]]) -> list[Facts]:
    """The cases of a run. Raises PfdoctorError where a log or endpoint could belong to several cases of the files."""
    if not declared and not live:
        return [of_logs(logs)] if logs else []
    if not live:
        return [with_logs(likely(declared, "the log"), logs)] if logs else list(declared)
    joined, rest = _join(declared, live)
    if logs:
        if len(joined) > 1:
            names = ", ".join(facts.case["name"] for facts in joined[:_NAMES_SHOWN])
            raise PfdoctorError(f"the log could be of any of {names}: say which with --deployment")
        joined = [with_logs(joined[0], logs)]
    return [*joined, *rest]


def of_logs(logs: Sequence[dict[str, Json]]) -> Facts:
    """A case of which nothing but logs is known: every fact is still to be collected."""
    sources = list(dict.fromkeys(str(log["source"]) for log in logs))
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    case = {"name": sources[0] + more, "kind": "log", "file": None}
    return Facts({"schema": SCHEMA_NAME, "case": case, "logs": list(logs), "origins": {}, "excerpts": {}, "joins": []})


def with_logs(facts: Facts, logs: Sequence[dict[str, Json]]) -> Facts:
    """The case with further logs."""
    return facts.with_document(logs=[*(facts.document.get("logs") or ()), *logs])


def likely(declared: Sequence[Facts], what: str) -> Facts:
    """The one case of the files that something can belong to: of several, one with a flow or a deployment.

    Raises PfdoctorError where it is not clear which.
    """
    found = [facts for facts in declared if facts.case["kind"] in ("flow", "deployment")] or list(declared)
    if len(found) > 1:
        names = ", ".join(facts.case["name"] for facts in found[:_NAMES_SHOWN])
        more = f" and {len(found) - _NAMES_SHOWN} more" if len(found) > _NAMES_SHOWN else ""
        raise PfdoctorError(f"{what} could belong to any of {names}{more}: point PATH at the one it is of")
    return found[0]


def _join(declared: Sequence[Facts], live: Sequence[Facts]) -> tuple[list[Facts], list[Facts]]:
    """Each live deployment with the case of the files that declares it, and the cases that declare none of them."""
    rest = list(declared)
    joined = []
    for facts in live:
        match = _declaring(facts, rest, alone=len(live) == 1)
        if match is None:
            joined.append(facts)
            continue
        rest.remove(match)
        joined.append(both(match, facts))
    return joined, rest


def _declaring(live: Facts, declared: Sequence[Facts], *, alone: bool) -> Facts | None:
    """The case that declares the live deployment: by its names, or, for one deployment, the only case there is."""
    named = [facts for facts in declared if _names(facts.document.get("declared")) == _names(live.document.get("live"))]
    if len(named) == 1:
        return named[0]
    return likely(declared, f"endpoint {live.case['name']}") if alone and declared else None


def _names(view: Json) -> tuple[Json, Json] | None:
    """Names of the endpoint and the deployment of a view, in one case; None where it has no deployment."""
    deployment = view.get("deployment") if isinstance(view, dict) else None
    if not isinstance(deployment, dict) or not isinstance(deployment.get("name"), str):
        return None
    endpoint = deployment.get("endpoint_name")
    return (endpoint.lower() if isinstance(endpoint, str) else None, deployment["name"].lower())


def both(declared: Facts, live: Facts) -> Facts:
    """One case with both views; what was joined, and why, is told."""
    document = {**declared.document}
    document["case"] = {**declared.case, "id": live.case.get("id")}
    for key in ("live", "logs", "clock"):
        if key in live.document:
            document[key] = live.document[key]
    document["origins"] = {**declared.document.get("origins", {}), **live.document.get("origins", {})}
    how = "same names" if _names(document.get("declared")) == _names(document.get("live")) else "the only one given"
    document["joins"] = [
        *declared.document.get("joins", ()),
        {"what": "live deployment", "to": live.case["name"], "how": how},
    ]
    return Facts(document)
