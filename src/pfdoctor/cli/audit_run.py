"""One audit from the command line: its state file, its progress bar, its output as it comes, and what cuts it."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from heapq import merge
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.cli.audit_deliver import write_line
from pfdoctor.cli.output import say, sink
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.model import Json, PfdoctorError, Unknown
from pfdoctor.core.rule import Catalogue, Rule
from pfdoctor.report.style import visible

if TYPE_CHECKING:
    from pfdoctor.audit.examined import Examined, Read
    from pfdoctor.audit.fleet import Endpoint, Shard
    from pfdoctor.audit.report import AuditReport, Cut
    from pfdoctor.audit.scope import Scope
    from pfdoctor.audit.state import State
    from pfdoctor.cli.audit_examiner import Examiner
    from pfdoctor.cli.audit_progress import AuditBar
    from pfdoctor.cli.interrupt import Signals
    from pfdoctor.cli.output import Sink
    from pfdoctor.cloud.clouds import Cloud
    from pfdoctor.report.summary import Gate


class Wanted(NamedTuple):
    """What was asked for. `timeout` in seconds, for one answer; `typed` is the command line, to be repeated."""

    scope: Scope
    shard: Shard | None
    resume: Path | None
    metrics: bool
    concurrency: int
    cloud: str | None
    credential: str
    timeout: float
    typed: tuple[str, ...] = ()
    own_rules: tuple[Path, ...] = ()


class AuditRun(NamedTuple):
    """The rules to run, and what on."""

    catalogue: Catalogue
    rules: tuple[Rule, ...]
    wanted: Wanted

    def examine(self, read: Read) -> Examined:
        from pfdoctor.audit.examined import examined

        return examined(read, self.catalogue.symptoms, lambda facts: diagnose(facts, self.catalogue, self.rules))

    def prepare(self) -> None:
        """Makes ready what is needed with the first endpoint."""
        from pfdoctor.collect.logs import read_text

        for name in ("pfdoctor.audit.examined", "pfdoctor.core.derive.live", "pfdoctor.core.derive.access"):
            import_module(name)
        read_text("", self.catalogue.symptoms, source="nothing")

    @contextmanager
    def open(self, signals: Signals, *, progress: bool) -> Iterator[Audited]:
        """The audit, with its state open; `signals` end it in order.

        The state goes when the audit was made and told to its end: one that was left where `--resume` names it would be
        taken for the beginning of the next audit.
        """
        from pfdoctor.cli.audit_begin import begin
        from pfdoctor.cli.audit_examiner import Examiner
        from pfdoctor.cloud.clouds import resolve_cloud

        # the examiner first: it forks
        with Examiner(self.examine, self.prepare) as examiner:
            # the metadata of a cloud may have to be asked for: meanwhile, what follows is loaded
            loading = begin()
            try:
                cloud = resolve_cloud(self.wanted.cloud, os.environ)
            finally:
                loading.join()
            with self._state(cloud, examiner, signals, progress=progress) as audited:
                yield audited

    @contextmanager
    def _state(self, cloud: Cloud, examiner: Examiner, signals: Signals, *, progress: bool) -> Iterator[Audited]:
        from pfdoctor.audit.state import State
        from pfdoctor.cloud.reader import utc_now

        wanted = self.wanted
        header: dict[str, Json] = {
            "scope": wanted.scope.to_json(),
            "shard": wanted.shard.to_json() if wanted.shard is not None else None,
            "cloud": cloud.resource_manager,
            "rules": _digest(self.rules, wanted.own_rules),
            "metrics": wanted.metrics,
            "started_at": utc_now(),
        }
        state = State(wanted.resume or _own_state(), header)
        audited = Audited(self, cloud, state, header, examiner, signals, progress=progress)
        if state.done:
            say(f"going on with the audit of {state.started_at}: {audited.progress_so_far()}")
        whole = False
        try:
            yield audited
            whole = audited.cut is None
        finally:
            state.close()
            if whole or (state.inventory is None and wanted.resume is None):
                state.path.unlink(missing_ok=True)
            else:
                say(f"go on with: {self._command(state.path)}")

    def _command(self, path: Path) -> str:
        """The command that goes on: what was typed, with the state's file."""
        resume = () if self.wanted.resume is not None else ("--resume", str(path))
        return visible(shlex.join(("pfdoctor", *(self.wanted.typed or ("audit",)), *resume)))


class Audited:
    """An audit under way; `cut` is what ended it before its end."""

    def __init__(
        self,
        run: AuditRun,
        cloud: Cloud,
        state: State,
        header: dict[str, Json],
        examiner: Examiner,
        signals: Signals,
        *,
        progress: bool,
    ) -> None:
        self._run = run
        self._cloud = cloud
        self._state = state
        self._header = header
        self._examiner = examiner
        self._signals = signals
        self._progress = progress
        self.cut: Cut | None = None

    def progress_so_far(self) -> str:
        """`120 of 400 endpoints are done`."""
        done, meant = len(self._state.done), len(self._meant())
        of = f" of {meant:,} endpoints are done" if self._state.inventory is not None else " endpoints are done"
        return f"{done:,}{of}"

    def report(self, gate: Gate, streams: Sequence[str]) -> AuditReport:
        """Looks at what is still to be looked at, writing each entry to the streams; the report of everything.

        A signal, or a login that ends, cuts it: then the endpoints that are left are unknown in the report. Raises
        what `pfdoctor.audit.engine.audit` raises before it knows of any endpoint.
        """
        from pfdoctor.audit.inventory import unmatched, why_empty
        from pfdoctor.audit.report import Run, make_report
        from pfdoctor.cloud.reader import utc_now

        state = self._state
        with ExitStack() as stack:
            sinks = [stack.enter_context(sink(target)) for target in streams]
            for entry in state.entries() if sinks else ():
                write_line(sinks, entry)
            self.cut = self._look(sinks)
            for entry in self._unread():
                write_line(sinks, entry)
        inventory = state.inventory
        run = {
            "started_at": state.started_at,
            "finished_at": utc_now(),
            "duration_seconds": round(state.seconds, 3),
            "requests": state.requests,
            "throttled": state.throttled,
            "in_scope": len(inventory.endpoints) if inventory is not None else 0,
            "complete": not self._problems() and not self._left(),
            "cloud": self._cloud.resource_manager,
        }
        if inventory is not None and not inventory.endpoints and not inventory.problems:
            say(f"error: no endpoint in the scope: {visible(why_empty(self._run.wanted.scope, inventory))}")
        elif inventory is not None and not inventory.problems:
            for named in unmatched(self._run.wanted.scope, inventory):
                say(visible(f"note: no endpoint in the scope is of {named}: is it spelt as in Azure?"))
        rules = sorted(rule.id for rule in self._run.rules)
        described = Run(self._header["scope"], self._header["shard"], rules, run, self._problems(), self.cut)
        return make_report(described, self._entries, gate)

    def _look(self, sinks: Sequence[Sink]) -> Cut | None:
        """Looks at the endpoints that are left; what cut it."""
        from pfdoctor.audit.report import INTERRUPTED, Cut
        from pfdoctor.audit.state import StateError
        from pfdoctor.cli.audit_progress import AuditBar
        from pfdoctor.cloud.errors import AuthenticationError

        with AuditBar(wanted=self._progress) as bar:

            def interrupted() -> None:
                bar.stop()
                say(f"interrupted: {self.progress_so_far()}")

            try:
                if self._signals.run(self._audit(bar, sinks), interrupted):
                    return None
            except AuthenticationError as error:
                if self._state.inventory is None:
                    raise
                bar.stop()
                say(f"error: {visible(str(error))}")
                say(f"cut off: {self.progress_so_far()}")
                reason = Unknown("unauthenticated", f"not read: {error}")
                return Cut(reason, error.exit_code, "the login ended before the audit did")
            except StateError as error:
                bar.stop()
                say(f"error: {visible(str(error))}")
                say(f"cut off: {self.progress_so_far()}")
                return Cut(Unknown("not-kept", f"not read: {error}"), error.exit_code, "the state cannot be written")
            return Cut(Unknown("interrupted", "not read: interrupted"), INTERRUPTED, "interrupted")

    async def _audit(self, bar: AuditBar, sinks: Sequence[Sink]) -> None:
        from pfdoctor.audit.engine import audit
        from pfdoctor.audit.how import How
        from pfdoctor.audit.state import StateError
        from pfdoctor.cli.audit_begin import go_on
        from pfdoctor.cli.audit_examiner import broke
        from pfdoctor.cloud.credentials import make_credential
        from pfdoctor.cloud.pipeline import Limits

        def told(entry: dict[str, Json], done: int, total: int) -> None:
            write_line(sinks, entry)
            bar(entry, done, total)

        def broken(name: str, error: Exception) -> str:
            if isinstance(error, StateError):
                raise error  # no bug at this endpoint, and the next ones would fare no better
            return broke(name, error)

        wanted, cloud = self._run.wanted, self._cloud
        # waiting in the queue of a throttled subscription is no reason to give up
        limits = Limits(read=wanted.timeout, request=3600.0)
        how = How(
            examine=self._examiner,
            environment=os.environ,
            concurrency=wanted.concurrency,
            metrics=wanted.metrics,
            limits=limits,
            told=told,
            broke=broken,
        )
        trust = os.environ.get("REQUESTS_CA_BUNDLE")
        async with make_credential(wanted.credential, cloud, os.environ, trust) as credential:
            go_on()
            await audit(wanted.scope, wanted.shard, self._state, cloud, credential, how)

    def _meant(self) -> list[Endpoint]:
        from pfdoctor.audit.engine import meant

        return meant(self._state, self._run.wanted.shard)

    def _left(self) -> list[Endpoint]:
        """The endpoints that have no entry."""
        done = self._state.done
        return [one for one in self._meant() if one.key not in done]

    def _problems(self) -> list[dict[str, Json]]:
        if self._state.inventory is not None:
            return [one._asdict() for one in self._state.inventory.problems]
        reason = self.cut.reason if self.cut is not None else Unknown("not-listed", "not listed")
        return [{"path": "the scope", "problem": reason.code, "detail": "it ended before the endpoints were listed"}]

    def _unread(self) -> list[dict[str, Json]]:
        """The entries of the endpoints that were not reached, in the order of the report."""
        from pfdoctor.audit.record import order, unread

        return sorted((unread(one, self.cut.reason) for one in self._left()), key=order) if self.cut is not None else []

    def _entries(self) -> Iterator[dict[str, Json]]:
        from pfdoctor.audit.record import order

        return merge(self._state.entries(), self._unread(), key=order)


_STALE = 30 * 86_400
"""Seconds after which nobody goes on with an audit any more."""


def _own_state() -> Path:
    import time

    from pfdoctor.cli.crash import state_directory

    folder = state_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PfdoctorError(
            f"cannot make {folder}, for the state: {error.strerror}. Name a file with --resume"
        ) from error
    # what a killed run left names role assignments: it is not to lie there for ever
    for left in folder.glob("audit-*.jsonl"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                left.unlink()
    return folder / f"audit-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.jsonl"


def _digest(rules: Iterable[Rule], own: Iterable[Path]) -> str:
    """Which rules an audit ran: a state of other rules cannot be continued. Own ones may change under their names."""
    import pfdoctor
    from pfdoctor import catalog

    names = "\n".join(rule.id for rule in rules)
    digest = hashlib.sha256(f"{pfdoctor.__version__}\n{names}".encode())
    for path in sorted(path for directory in own for path in catalog.rule_files(directory)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
