"""One run: collect the facts of every case, diagnose each, and gather what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pfdoctor.cli.nearby import reachable
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Json, PfdoctorError, Report
from pfdoctor.core.next_command import Typed, completed
from pfdoctor.core.rule import Catalogue, Rule
from pfdoctor.report.style import visible
from pfdoctor.report.summary import INTERNAL

RETIREMENT = (
    "Azure Machine Learning retires prompt flow on 2027-04-20, and its images no longer get security updates. Plan "
    "the move: https://learn.microsoft.com/azure/machine-learning/prompt-flow/migrate-prompt-flow-to-agent-framework"
)
"""The one notice of a run that met a flow: no finding, for no edit mends it; and no count of days, for a report
is to be the same tomorrow. Source: the retirement notice in the vendor's documentation."""


class Examined(NamedTuple):
    """What is kept of a case: the facts themselves are let go of."""

    result: CaseResult
    has_flow: bool


class Fault(NamedTuple):
    """A case that a bug of ours kept from being examined; what is known of the bug was told on stderr."""

    case: str
    error: str


class Run(NamedTuple):
    """The rules to run, and over which catalogue; `typed` is repeated by the commands that a report proposes."""

    catalogue: Catalogue
    rules: tuple[Rule, ...]
    typed: Typed = Typed()

    def examine(self, facts: Facts) -> Examined:
        """Diagnose one case; this is what the workers of a large run do."""
        result = diagnose(facts, self.catalogue, self.rules)
        if facts.has_view("live") or facts.has_logs:
            # imported here: a check of files alone has to start fast
            from pfdoctor.core.observed import observed

            result = completed(result, facts.case.get("id"), self.typed)
            result = result._replace(observed=observed(facts))
        if self.typed.paths:
            result = reachable(result, self.typed.paths)
        return Examined(result, has_flow(facts))

    def report(self, examined: Iterable[Examined | Fault], problems: Iterable[dict[str, Json]]) -> Report:
        """The report of all cases, with the notices of the run."""
        results, met_flow = [], False
        unexamined = list(problems)
        for one in examined:
            if isinstance(one, Fault):
                detail = f"internal error ({one.error}): a bug in pfdoctor, told on stderr"
                unexamined.append({"path": one.case, "problem": INTERNAL, "detail": detail})
            else:
                results.append(one.result)
                met_flow = met_flow or one.has_flow
        return Report(tuple(results), len(self.rules), tuple(unexamined), (RETIREMENT,) if met_flow else ())


def has_flow(facts: Facts) -> bool:
    """Whether the case has a flow in one of its views; what cannot be known is no flow."""
    views = (facts.document.get(view) for view in ("declared", "live"))
    flows = (view.get("flow") for view in views if isinstance(view, dict))
    return any(isinstance(flow, dict) and "$unknown" not in flow for flow in flows)


def given_paths(paths: Sequence[Path] | None, files_from: str | None) -> list[Path]:
    """What the user pointed at: arguments and the list in a file (`-` is stdin), or else the current directory."""
    given = list(paths or ())
    if any(str(path) == "-" for path in given):
        raise PfdoctorError("'-' is no path here; a list of paths on stdin is --files-from -")
    if files_from is not None:
        given += _listed_paths(files_from)
    elif not given:
        given = [Path()]
    for path in given:
        if "\0" in str(path):
            raise PfdoctorError(f"{visible(str(path))} is no path")
    return given


def _listed_paths(name: str) -> list[Path]:
    """Paths between line ends, or, where the list has a NUL, between NULs."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise PfdoctorError(f"cannot read --files-from {name}: {error.strerror}") from error
    parts = data.split(b"\0") if b"\0" in data else data.splitlines()
    return [Path(os.fsdecode(part)) for part in parts if part.strip()]
