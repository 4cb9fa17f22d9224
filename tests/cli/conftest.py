"""The command line over two rules and over facts that need no file: what it does must not depend on the catalogue."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pfdoctor import catalog
from pfdoctor.cli.main import main
from pfdoctor.core.facts import SCHEMA_NAME, Facts
from pfdoctor.core.model import Json, Unknown

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Collected:
    cases: Sequence[Facts]
    problems: Sequence[dict[str, Json]]


def case(name: str, declared: dict[str, Json], **more: Json) -> Facts:
    return Facts(
        {
            "schema": SCHEMA_NAME,
            "case": {"name": name, "kind": "deployment", "file": name},
            "declared": declared,
            "logs": [],
            "origins": {},
            "excerpts": {},
            "joins": [],
            **more,
        }
    )


BROKEN = case(
    "deployment.yml",
    {
        "flow": Unknown("not-in-files", "no flow among the files").to_json(),
        "deployment": {"name": "blue", "kind": "managed", "instance_count": 0},
        "environment": {"name": "pf", "inference_config": None},
    },
    origins={"declared": {"environment": ["deployment.yml", 4, 3, 14]}},
    excerpts={"deployment.yml": {"4": "  environment: pf"}},
)
HEALTHY = case(
    "deployment.yml",
    {
        "flow": None,
        "deployment": {"name": "blue", "kind": "managed", "instance_count": 1},
        "environment": {"name": "pf", "inference_config": {}},
    },
)
UNDECIDED = case("flow", {"flow": None, "deployment": Unknown("not-in-files", "no deployment", None, "look").to_json()})


@dataclass(frozen=True)
class Scan:
    plans: Sequence[Facts]

    def case(self, index: int) -> Facts:
        return self.plans[index]

    def leftovers(self) -> Iterator[Facts]:
        return iter(())


class Folder:
    """Stands for `pfdoctor.collect.folder`: finds what a test put there, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.found = Collected((BROKEN,), ())
        self.asked: list[str] = []
        self.error: BaseException | None = None

    def holds(self, *cases: Facts, problems: Sequence[dict[str, Json]] = ()) -> None:
        self.found = Collected(cases, problems)

    def scan(self, paths: Sequence[Path]) -> tuple[list[Scan], Sequence[dict[str, Json]]]:
        found = self.collect(paths)
        return [Scan(found.cases)], found.problems

    def collect(self, paths: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> Collected:
        self.asked = [str(path) for path in paths]
        if self.error is not None:
            raise self.error
        if progress is not None:
            progress(len(self.found.cases), len(self.found.cases))
        return self.found


@pytest.fixture
def rules(tmp_path_factory: pytest.TempPathFactory, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue of two rules in place of the shipped one."""
    directory = tmp_path_factory.mktemp("catalogue") / "rules"
    shutil.copytree(HERE / "rules", directory)
    shutil.copytree(root / "rules" / "schema", directory / "schema")
    monkeypatch.setattr(catalog, "rules_directory", lambda: directory)
    catalog.load_full.cache_clear()
    yield directory
    catalog.load_full.cache_clear()


@pytest.fixture
def folder(rules: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:  # noqa: ARG001 - it has to be there
    folder = Folder()
    module: Any = ModuleType("pfdoctor.collect.folder")
    module.collect, module.scan, module.Scan = folder.collect, folder.scan, Scan
    monkeypatch.setitem(sys.modules, "pfdoctor.collect.folder", module)
    return folder


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes], folder: Folder) -> Callable[..., Ended]:  # noqa: ARG001 - as above
    """Run a command line in this process."""

    def invoke(*arguments: str | Path) -> Ended:
        capsysbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        return Ended(code, out.decode(), err.decode())

    return invoke


@pytest.fixture
def make_case() -> Callable[..., Facts]:
    return case


@pytest.fixture
def undecided() -> Facts:
    """A case about whose deployment nothing is known."""
    return UNDECIDED


@pytest.fixture
def healthy() -> Facts:
    return HEALTHY
