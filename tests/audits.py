"""Audits of a simulated fleet, in this process, with nothing waiting between retries."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.simulator import Scenario, Simulator


async def _no_sleep(_: float) -> None:
    await asyncio.sleep(0)


@cache
def rules() -> Any:
    """The shipped catalogue."""
    from pfdoctor import catalog

    return catalog.load()


class Fleet:
    """A running simulator, and audits of it."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator = simulator
        self.folder = folder
        self.environment = dict(simulator.environment)
        self._files = 0

    def audit(
        self,
        scope: Any = None,
        *,
        shard: Any = None,
        state: Path | None = None,
        examine: Callable[[Any], Any] | None = None,
        **how: Any,
    ) -> Any:
        """The report of one audit; `state` names its file, `examine` what to make of the facts of a case."""
        from pfdoctor.audit.engine import audit, meant
        from pfdoctor.audit.examined import examined
        from pfdoctor.audit.how import How
        from pfdoctor.audit.report import Run, make_report
        from pfdoctor.audit.scope import Scope
        from pfdoctor.audit.state import State
        from pfdoctor.cloud.clouds import resolve_cloud
        from pfdoctor.cloud.credentials import make_credential
        from pfdoctor.cloud.pipeline import Limits
        from pfdoctor.core.diagnose import diagnose
        from pfdoctor.report.summary import Gate

        catalogue = rules()
        scope = scope or Scope()
        cloud = resolve_cloud(None, self.environment)
        header = {"scope": scope.to_json(), "shard": shard and shard.to_json(), "started_at": "2026-01-01T00:00:00Z"}
        self._files += 1
        kept = State(state or self.folder / f"state-{self._files}.jsonl", header)
        limits = Limits(request=20.0, backoff=0.0, sleep=_no_sleep)

        result_of = examine or (lambda facts: diagnose(facts, catalogue))

        async def examine_all(read: Any) -> Any:
            return examined(read, catalogue.symptoms, result_of)

        settings = How(examine_all, self.environment, limits=limits)._replace(**how)

        async def go() -> None:
            async with make_credential("managed-identity", cloud, self.environment, None) as credential:
                await audit(scope, shard, kept, cloud, credential, settings)

        try:
            asyncio.run(go())
            assert kept.inventory is not None
            problems = [one._asdict() for one in kept.inventory.problems]
            run = {
                "started_at": kept.started_at,
                "finished_at": kept.started_at,
                "duration_seconds": kept.seconds,
                "requests": kept.requests,
                "throttled": kept.throttled,
                "in_scope": len(kept.inventory.endpoints),
                "complete": len(kept.done) == len(meant(kept, shard)) and not problems,
                "cloud": cloud.resource_manager,
            }
            described = Run(header["scope"], header["shard"], sorted(catalogue.rules), run, problems)
            report = make_report(described, kept.entries, Gate())
            return json.loads("".join(report.chunks()))
        finally:
            kept.close()

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The command line, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "pfdoctor", "audit", *arguments],
            env=self.variables(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    def begin(
        self, *arguments: str, state_home: str = "state", terminal: int = subprocess.PIPE, **options: Any
    ) -> subprocess.Popen[str]:
        """The command line, under way; `terminal` is what it has as stderr."""
        return subprocess.Popen(
            [sys.executable, "-m", "pfdoctor", "audit", *arguments],
            env=self.variables() | {"XDG_STATE_HOME": str(self.folder / state_home), "TERM": "xterm", "COLUMNS": "120"},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            text=True,
            **options,
        )

    def variables(self) -> dict[str, str]:
        """The environment of a command line."""
        return {**os.environ, **self.environment, "XDG_STATE_HOME": str(self.folder / "state")}


def wait_for(path: Path, lines: int, kind: str = '{"kind": "endpoint"') -> None:
    """Waits until a state file has so many lines of a kind."""
    for _ in range(1200):
        if path.exists() and sum(one.startswith(kind) for one in path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {lines} lines")


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """The report without what differs from run to run: when, and the ids of requests."""

    def strip(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: strip(value) for key, value in node.items() if key not in ("time", "request_id", "run")}
        return [strip(one) for one in node] if isinstance(node, list) else node

    stripped: dict[str, Any] = strip(report)
    return stripped


@contextmanager
def running(scenario: Scenario, folder: Path) -> Iterator[Fleet]:
    """A simulator of the scenario, signed in as its caller."""
    with Simulator(scenario) as simulator, pytest.MonkeyPatch.context() as patch:
        for name, value in simulator.environment.items():
            patch.setenv(name, value)
        yield Fleet(simulator, folder)
