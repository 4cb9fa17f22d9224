"""What every test starts from: an environment that says nothing, and property tests that repeat."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import hypothesis
import pytest

if TYPE_CHECKING:
    from pfdoctor.cloud.credentials import Credential
    from pfdoctor.cloud.reader import Reader
    from pfdoctor.simulator import Simulator

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent

# Read before the environment is emptied; tests/run.py sets it.
_PROMPTFLOW_PYTHON = os.environ.get("PFDOCTOR_PROMPTFLOW_PYTHON")

# Variables that change what pfdoctor or the libraries below it do; the machine's own must not decide a test.
_SPOKEN_FOR = ("AZURE_", "CLICOLOR", "GITHUB_", "PFDOCTOR_", "SYSTEM_", "XDG_")
_SPOKEN_FOR_EXACTLY = ("CI", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "SOURCE_DATE_EPOCH", "TF_BUILD")

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
# The same examples in every run and on every interpreter: a red run is red again.
hypothesis.settings.register_profile("ci", parent=hypothesis.settings.get_profile("default"), derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


# A shell that starts the tests in the background has them ignore Ctrl-C, and the programs that they start, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Python 3.10 takes a TLS connection that the other side has cut for one that was left open; 3.11 rewrote that."""
    if sys.version_info < (3, 11):
        config.addinivalue_line("filterwarnings", "ignore:unclosed transport <asyncio.sslproto:ResourceWarning")


@pytest.fixture(autouse=True, scope="session")
def quiet_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No variable of the machine reaches a test; 80 columns, no colour, and a home that is empty."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_SPOKEN_FOR) or name in _SPOKEN_FOR_EXACTLY:
                patch.delenv(name)
        home = str(tmp_path_factory.mktemp("home"))
        for name, value in {"HOME": home, "USERPROFILE": home, "TERM": "dumb", "COLUMNS": "80"}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def promptflow_python() -> str:
    """An interpreter that has promptflow, for tests that run the real thing as a program."""
    if not _PROMPTFLOW_PYTHON:
        pytest.skip("PFDOCTOR_PROMPTFLOW_PYTHON names no interpreter with promptflow; tests/run.py makes one")
    return _PROMPTFLOW_PYTHON


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout, for tests about the project itself: its rules, docs and examples."""
    return ROOT


class Azure:
    """A simulated Azure, and readers of it that never wait between retries. All in one event loop."""

    def __init__(self, simulator: Simulator) -> None:
        from pfdoctor.cloud.clouds import resolve_cloud
        from pfdoctor.cloud.credentials import make_credential
        from pfdoctor.cloud.pipeline import Limits

        self.simulator = simulator
        self.environment: dict[str, str] = dict(simulator.environment)
        self.limits = Limits(request=20.0, backoff=0.0, sleep=_no_sleep)
        self.cloud = resolve_cloud(None, self.environment)
        self._loop = asyncio.new_event_loop()
        self._make = make_credential
        self._pipeline: Any = None
        self._credential: Credential | None = None

    def credential(self) -> Credential:
        return self._make("managed-identity", self.cloud, self.environment, None)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(coroutine)

    def read(self, ask: Callable[[Reader], Awaitable[T]], *, longest: float = 20.0, fresh: bool = False) -> T:
        """What `ask` gives, of a reader with an empty memory; a `fresh` one makes its connections and login anew."""
        from pfdoctor.cloud.reader import Reader

        async def asked() -> T:
            if fresh:
                await self.disconnect()
            if self._pipeline is None:
                await self._connect()
            reader = Reader(self._pipeline, self.cloud, longest)
            try:
                return await ask(reader)
            finally:
                await reader.close()
                if fresh:
                    await self.disconnect()

        return self.run(asked())

    async def _connect(self) -> None:
        from pfdoctor.cloud.pipeline import arm_pipeline

        self._credential = self.credential()
        self._pipeline = arm_pipeline(self.cloud, self._credential, self.environment, self.limits)
        await self._pipeline.__aenter__()

    async def disconnect(self) -> None:
        if self._pipeline is not None:
            await self._pipeline.__aexit__()
            self._pipeline = None
        if self._credential is not None:
            await self._credential.close()
            self._credential = None

    def close(self) -> None:
        self.run(self.disconnect())
        self._loop.close()


async def _no_sleep(_: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture(scope="module")
def azure() -> Iterator[Azure]:
    """The healthy scenario, signed in as its caller."""
    from pfdoctor.simulator import Scenario, Simulator

    with (
        pytest.MonkeyPatch.context() as patch,
        Simulator(Scenario.load(ROOT / "examples/scenarios/healthy.yaml")) as it,
    ):
        for name, value in it.environment.items():
            patch.setenv(name, value)
        azure = Azure(it)
        yield azure
        azure.close()
