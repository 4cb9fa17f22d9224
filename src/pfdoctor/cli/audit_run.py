"""One audit from the command line: its state file, its progress bar, its output as it comes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.cli.output import STDOUT, Sink, print_lines, say, sink, width, write
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Json
from pfdoctor.core.rule import Catalogue, Rule
from pfdoctor.report.style import plain

if TYPE_CHECKING:
    from pfdoctor.audit.fleet import Shard
    from pfdoctor.audit.report import AuditReport
    from pfdoctor.audit.scope import Scope
    from pfdoctor.audit.state import State
    from pfdoctor.cloud.clouds import Cloud
    from pfdoctor.report.summary import Gate


class Wanted(NamedTuple):
    """What was asked for. `timeout` in seconds, for one answer."""

    scope: Scope
    shard: Shard | None
    resume: Path | None
    metrics: bool
    concurrency: int
    cloud: str | None
    credential: str
    timeout: float


class AuditRun(NamedTuple):
    """The rules to run, and what on."""

    catalogue: Catalogue
    rules: tuple[Rule, ...]
    wanted: Wanted

    def examine(self, facts: Facts) -> CaseResult:
        return diagnose(facts, self.catalogue, self.rules)

    @contextmanager
    def open(self, *, progress: bool) -> Iterator[Audited]:
        """The audit, with its state open. A state that nobody named goes when the audit is whole."""
        from pfdoctor.audit.state import State
        from pfdoctor.cloud.clouds import resolve_cloud
        from pfdoctor.cloud.reader import utc_now

        wanted = self.wanted
        cloud = resolve_cloud(wanted.cloud, os.environ)
        header: dict[str, Json] = {
            "scope": wanted.scope.to_json(),
            "shard": wanted.shard.to_json() if wanted.shard is not None else None,
            "cloud": cloud.resource_manager,
            "rules": _digest(self.rules),
            "metrics": wanted.metrics,
            "started_at": utc_now(),
        }
        path = wanted.resume or _own_state()
        state = State(path, header)
        audited = Audited(self, cloud, state, header, progress)
        try:
            yield audited
        except (KeyboardInterrupt, Exception):
            done = len(state.done)
            if done or wanted.resume is not None:
                total = f" of {len(audited.meant()):,}" if state.inventory is not None else ""
                say(f"{done:,}{total} endpoints are done; go on with --resume {path}")
            elif wanted.resume is None:
                path.unlink(missing_ok=True)
            raise
        else:
            if wanted.resume is None:
                path.unlink(missing_ok=True)
        finally:
            state.close()


class Audited(NamedTuple):
    """An audit under way."""

    run: AuditRun
    cloud: Cloud
    state: State
    header: dict[str, Json]
    progress: bool

    def meant(self) -> list[object]:
        from pfdoctor.audit.engine import meant

        return list(meant(self.state, self.run.wanted.shard))

    def report(self, gate: Gate, streams: Sequence[str]) -> AuditReport:
        """Looks at what is still to be looked at, writing each entry to the streams; the report of everything.

        Raises what `pfdoctor.audit.engine.audit` raises, and KeyboardInterrupt.
        """
        from pfdoctor.audit.engine import audit
        from pfdoctor.audit.how import How
        from pfdoctor.audit.report import Run, make_report
        from pfdoctor.cli.audit_examiner import Examiner, broke
        from pfdoctor.cli.audit_progress import AuditBar
        from pfdoctor.cloud.credentials import make_credential
        from pfdoctor.cloud.pipeline import Limits
        from pfdoctor.cloud.reader import utc_now

        wanted, cloud, state = self.run.wanted, self.cloud, self.state
        with ExitStack() as stack:
            examiner = stack.enter_context(Examiner(self.run.examine))
            bar = stack.enter_context(AuditBar(wanted=self.progress))
            sinks = [stack.enter_context(sink(target)) for target in streams]
            for entry in state.entries() if sinks else ():
                _write(sinks, entry)

            def told(entry: dict[str, Json], done: int, total: int) -> None:
                _write(sinks, entry)
                bar(entry, done, total)

            # waiting in the queue of a throttled subscription is no reason to give up
            limits = Limits(read=wanted.timeout, request=3600.0)
            how = How(
                examiner,
                self.run.catalogue.symptoms,
                os.environ,
                wanted.concurrency,
                wanted.metrics,
                limits,
                told=told,
                broke=broke,
            )

            async def go() -> None:
                trust = os.environ.get("REQUESTS_CA_BUNDLE")
                async with make_credential(wanted.credential, cloud, os.environ, trust) as credential:
                    await audit(wanted.scope, wanted.shard, state, cloud, credential, how)

            asyncio.run(go())
        problems = state.inventory.problems if state.inventory is not None else ()
        run = {
            "started_at": state.started_at,
            "finished_at": utc_now(),
            "duration_seconds": round(state.seconds, 3),
            "requests": state.requests,
            "throttled": state.throttled,
            "complete": len(state.done) == len(self.meant()) and not problems,
            "cloud": cloud.resource_manager,
        }
        described = Run(self.header["scope"], self.header["shard"], run, [one._asdict() for one in problems])
        return make_report(described, state.entries, gate)


def deliver(
    report: AuditReport,
    destinations: Sequence[tuple[str, str]],
    *,
    color: str,
    quiet: bool,
    statistics: bool,
    since: Path | None,
) -> int:
    """Writes the report to all but its streams; the exit code. `since` is an older report, for what is new in it."""
    from pfdoctor.audit.text import render

    for kind, target in destinations:
        if kind == "json":
            with sink(target) as file:
                for chunk in report.chunks():
                    file.write(chunk)
        elif kind == "markdown":
            write(_markdown(report, since), target)
        elif kind == "openmetrics":
            from pfdoctor.report.openmetrics import render_audit

            write(render_audit({**report.head, "endpoints": report.entries()}), target)
        elif kind == "text":
            if target == STDOUT:
                print_lines(render(report, width(), quiet=quiet, statistics=statistics), color)
            else:
                write(plain(render(report, width(), quiet=quiet, statistics=statistics)), target)
    if not report.head["summary"]["endpoints"]:
        say("error: no endpoint in the scope: the login sees none there")
    return report.exit_code


def _markdown(report: AuditReport, since: Path | None) -> str:
    from pfdoctor.cli.audit_diff import read_audit
    from pfdoctor.report.fleet_diff import compare
    from pfdoctor.report.fleet_markdown import render

    document = {**report.head, "endpoints": list(report.entries())}
    return render(document, compare(read_audit(since), document) if since is not None else None)


def stream(entries: Iterable[dict[str, Json]], target: str) -> None:
    """Writes entries as JSON lines."""
    with sink(target) as file:
        for entry in entries:
            _write([file], entry)


def _write(sinks: Iterable[Sink], entry: dict[str, Json]) -> None:
    from pfdoctor.report.json import encode

    for one in sinks:
        one.write(encode({"kind": "endpoint", **entry}) + "\n")


def _own_state() -> Path:
    import time

    from pfdoctor.cli.crash import state_directory

    folder = state_directory()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"audit-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.jsonl"


def _digest(rules: Iterable[Rule]) -> str:
    """Which rules an audit ran: a state of other rules cannot be continued."""
    import pfdoctor

    names = "\n".join(rule.id for rule in rules)
    return hashlib.sha256(f"{pfdoctor.__version__}\n{names}".encode()).hexdigest()[:16]
