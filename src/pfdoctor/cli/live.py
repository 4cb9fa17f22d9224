"""Asking Azure: what `--endpoint` and its companions mean, turned into facts."""

from __future__ import annotations

import json
import os
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.cli.target import Given, resolve
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json, PfdoctorError
from pfdoctor.core.next_command import Typed
from pfdoctor.core.rule import Catalogue
from pfdoctor.report.summary import NOT_ALLOWED, NOT_READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pfdoctor.cloud.clouds import Cloud as CloudOf
    from pfdoctor.cloud.credentials import Credential
    from pfdoctor.cloud.pipeline import Limits
    from pfdoctor.core.plan import Target
    from pfdoctor.core.plan.resource import Resources

_MOST_SENT = 10 * 1024 * 1024
"""Bytes of a request that `--probe-score` sends; an endpoint takes no more than 10 MB (vendor's documentation)."""


class Way(NamedTuple):
    """Which Azure, as whom, and how patiently."""

    cloud: CloudOf
    make: Callable[[], Credential]
    limits: Limits


class Live(NamedTuple):
    """What was said about the live endpoint, and how to ask. `timeout` in seconds, for one answer.

    With `planned`, what files declare of it need not exist yet.
    """

    given: Given
    cloud: str | None
    credential: str
    probe: bool
    probe_score: Path | None
    timeout: float
    progress: bool
    planned: bool = False

    def collect(self, catalogue: Catalogue, declared: Json = None) -> list[Facts]:
        """The facts of every deployment that is meant, one case each. `declared` is the view of the files, if any.

        Raises PfdoctorError where it is not clear which endpoint is meant, where nobody is logged in, and where
        there is no such endpoint.
        """
        where = resolve(self.given)
        if where.endpoint is None:
            files = "the files name no endpoint: " if declared is not None else ""
            raise PfdoctorError(f"{files}name the endpoint by --endpoint (-e)")
        score = _request(self.probe_score) if self.probe_score is not None else None
        # azure-identity, azure-core and aiohttp take a third of a second to import: only who goes live pays for them
        from pfdoctor.cloud.errors import AuthenticationError
        from pfdoctor.cloud.reach import reach
        from pfdoctor.collect.azure.collector import Collection, collect_now
        from pfdoctor.collect.azure.target import Target

        way = self.way()
        with _told(wanted=self.progress) as progress:
            how = Collection(
                deployment=where.deployment,
                probe=self.probe or score is not None,
                score=score,
                symptoms=catalogue.symptoms,
                declared=declared,
                planned=self.planned,
                progress=progress,
                limits=way.limits,
            )
            target = Target(where.subscription, where.resource_group, where.workspace, where.endpoint)
            try:
                return collect_now(target, way.cloud, way.make, how)
            except AuthenticationError as error:
                # without a network every login fails, and its own errors speak of logging in
                fault = reach(way.cloud, os.environ).fault
                raise AuthenticationError(f"{fault}; {error}" if fault else str(error)) from error

    def of_files(self, facts: Facts) -> Live:
        """The same; where no endpoint was named, about the one that the files of the case name.

        What is planned is the deployment of the files, even if the endpoint has others.
        """
        given = self.given
        named = given.endpoint is not None or "/onlineendpoints/" in (given.workspace or "").lower()
        if not named:
            given = given._replace(endpoint=endpoint_of(facts))
        if self.planned and given.deployment is None and "/deployments/" not in (given.endpoint or "").lower():
            given = given._replace(deployment=name_of(facts, "deployment"))
        return self._replace(given=given)

    def resources(self, cases: Sequence[Facts]) -> Resources:
        """The raw bodies of what a plan for these cases may change."""
        from pfdoctor.collect.azure.raw import read_now

        way = self.way()
        return read_now(cases, way.cloud, way.make, os.environ, way.limits)

    def way(self) -> Way:
        """How Azure is reached. Raises CloudError where it is not clear which Azure is meant."""
        from pfdoctor.cloud.clouds import resolve_cloud
        from pfdoctor.cloud.credentials import make_credential
        from pfdoctor.cloud.pipeline import Limits

        cloud = resolve_cloud(self.cloud, os.environ)
        trust = os.environ.get("REQUESTS_CA_BUNDLE")
        limits = Limits(read=self.timeout)
        return Way(cloud, lambda: make_credential(self.credential, cloud, os.environ, trust), limits)

    def target(self) -> Target:
        """What a plan says about the endpoint, for its application to look again."""
        from pfdoctor.collect.azure.target import Target as Named
        from pfdoctor.core.plan import Target

        where = resolve(self.given)
        named = Named(where.subscription, where.resource_group, where.workspace, where.endpoint or "")
        score = self.probe_score.as_posix() if self.probe_score is not None else None
        return Target(named.id, where.deployment, self.probe or score is not None, score, self.cloud, self.planned)

    @staticmethod
    def of(target: Target, cloud: str | None, credential: str, timeout: float) -> Live:
        """The same again, as a plan says it."""
        given = Given(endpoint=target.endpoint, deployment=target.deployment)
        score = Path(target.score) if target.score is not None else None
        return Live(given, cloud or target.cloud, credential, target.probe, score, timeout, True, target.planned)

    def typed(self, paths: Iterable[Path], logs: Iterable[str]) -> Typed:
        """What the commands that a report proposes have to repeat."""
        flags: tuple[str, ...] = ()
        for flag, value in (("--deployment", self.given.deployment), ("--cloud", self.cloud)):
            flags += (flag, value) if value else ()
        if self.credential != "default":
            flags += ("--credential", self.credential)
        probe = ("--probe-score", str(self.probe_score)) if self.probe_score else ("--probe",) * self.probe
        return Typed(tuple(map(str, paths)), tuple(logs), probe, flags)

    def plan_command(self, paths: Iterable[str]) -> str:
        """The `pfdoctor plan` of the same endpoint."""
        named = zip(("-e", "-w", "-g", "-s"), self._where(), strict=True)
        where = [word for flag, value in named if value for word in (flag, value)]
        typed = self.typed((), ())
        away = ["--from-az-config"] * self.given.from_az_config
        words = ["pfdoctor", "plan", *paths, *where, *away, *typed.probe, *typed.flags, "-o", "plan.json"]
        return shlex.join(words)

    def _where(self) -> tuple[str | None, ...]:
        return (self.given.endpoint, self.given.workspace, self.given.resource_group, self.given.subscription)


def unread(facts: Facts) -> dict[str, Json] | None:
    """The problem of a live case of which neither the endpoint nor a deployment could be read; None for any other."""
    live: Json = facts.document.get("live") or {}
    reasons = [live.get(section) for section in ("endpoint", "deployment")]
    if not all(isinstance(one, dict) and "$unknown" in one for one in reasons):
        return None
    why = reasons[0]["$unknown"]
    kind = NOT_ALLOWED if why["code"] in ("forbidden", "unauthenticated") else NOT_READ
    missing = f" (that takes {why['permission']})" if why.get("permission") else ""
    return {"path": facts.case["name"], "problem": kind, "detail": why["detail"] + missing}


def endpoint_of(facts: Facts) -> str | None:
    """The endpoint that the files of a case name."""
    declared: Json = facts.document.get("declared") or {}
    deployment = declared.get("deployment")
    named = deployment.get("endpoint_name") if isinstance(deployment, dict) else None
    return named if isinstance(named, str) else name_of(facts, "endpoint")


def name_of(facts: Facts, section: str) -> str | None:
    """The name that the files of a case give one of its parts."""
    declared: Json = facts.document.get("declared") or {}
    value = declared.get(section)
    name = value.get("name") if isinstance(value, dict) else None
    return name if isinstance(name, str) else None


def _request(path: Path) -> bytes:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise PfdoctorError(f"cannot read --probe-score {path}: {error.strerror}") from error
    if len(body) > _MOST_SENT:
        raise PfdoctorError(f"--probe-score {path} has {len(body):,} bytes: an endpoint takes at most {_MOST_SENT:,}")
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        raise PfdoctorError(f"--probe-score {path}:{error.lineno}:{error.colno} is no JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise PfdoctorError(f"--probe-score {path} is no JSON: {type(error).__name__}") from error
    return body


@contextmanager
def _told(*, wanted: bool) -> Iterator[Callable[[str], None]]:
    """What to tell progress to: a line on the terminal that is gone in the end, or nobody."""
    if not wanted or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("asking Azure") as status:
        yield status.update
