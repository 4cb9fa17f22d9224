"""`check --live`: the files beside the workspace that they are meant for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pfdoctor.cli.gather import Gathered, both
from pfdoctor.cli.live import endpoint_of, name_of, unread
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import PfdoctorError, Report

if TYPE_CHECKING:
    from pfdoctor.cli.live import Live
    from pfdoctor.cli.run import Run
    from pfdoctor.core.rule import Catalogue


def examine(run: Run, paths: Sequence[Path], live: Live) -> Report:
    """Diagnose every case, those of a deployment with what its endpoint and workspace answer.

    Raises PfdoctorError where nothing says which endpoint is meant.
    """
    gathered = gather(run.catalogue, paths, live)
    return run.report(map(run.examine, gathered.cases), gathered.problems)


def gather(catalogue: Catalogue, paths: Sequence[Path], live: Live) -> Gathered:
    """The cases of the files, those of a deployment with what its endpoint and workspace answer.

    Raises PfdoctorError where nothing says which endpoint is meant.
    """
    from pfdoctor.cli.progress import Bar
    from pfdoctor.collect.folder import collect

    with closing(Bar(wanted=live.progress)) as bar:
        collected = collect(paths, progress=bar)
    meant = [facts for facts in collected.cases if _is_deployable(facts)]
    if meant and not any(map(endpoint_of, meant)) and live.given.endpoint is None:
        raise PfdoctorError("the files name no endpoint: give it by --endpoint (-e), it need not exist yet")
    cases = list(_joined(catalogue, collected.cases, live))
    return Gathered(cases, [], [*collected.problems, *filter(None, map(unread, cases))])


def _joined(catalogue: Catalogue, cases: Sequence[Facts], live: Live) -> Iterator[Facts]:
    alone = sum(map(_is_deployable, cases)) == 1
    for facts in cases:
        endpoint = endpoint_of(facts)
        # a name on the command line is that of the only case there is, or of those that leave it open
        name = (live.given.endpoint if alone else None) or endpoint or live.given.endpoint
        if name is None or not _is_deployable(facts):
            yield facts
            continue
        deployment = (live.given.deployment if alone else None) or name_of(facts, "deployment")
        asked = live._replace(given=live.given._replace(endpoint=name, deployment=deployment), planned=True)
        declared = facts.document.get("declared")
        for answer in asked.collect(catalogue, declared):
            yield both(facts, answer)


def _is_deployable(facts: Facts) -> bool:
    return facts.case["kind"] in ("flow", "deployment")
