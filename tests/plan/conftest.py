"""The healthy repository with a fault in it, planned for, applied and undone in this process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from pfdoctor import catalog
from pfdoctor.apply.run import Applied, Runner
from pfdoctor.apply.undo import Undone, undo
from pfdoctor.apply.verify import Observation
from pfdoctor.cli.fixing import observer
from pfdoctor.cli.planning import make_plan, survey
from pfdoctor.core.model import Json, Level
from pfdoctor.core.plan import Plan

CATALOGUE = catalog.load()


def load(path: Path) -> ModuleType:
    """A test module as a library: pytest's importlib mode gives it no name to import it by."""
    spec = importlib.util.spec_from_file_location(f"shared_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


FIELD = load(Path(__file__).parents[1] / "collect" / "test_field_classes.py")


class Repository:
    """A folder of files, and what pfdoctor does to it."""

    def __init__(self, root: Path, journal: Path) -> None:
        self.root = root
        self.journal = journal

    def write(self, change: Mapping[str, Json], dress: Callable[[str], str] = str) -> Repository:
        """The healthy repository with the change: file → [old, new], a text, or None to leave it out."""
        (self.root / ".git").mkdir(exist_ok=True)
        for name in {**FIELD.HEALTHY, **change}:
            new = change.get(name, FIELD.HEALTHY.get(name))
            if new is None:
                continue
            if not isinstance(new, str):
                old, replacement = new
                assert old in FIELD.HEALTHY[name], (name, old)
                new = FIELD.HEALTHY[name].replace(old, replacement)
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dress(new).encode())
        return self

    def plan(self, *rules: str, most: Level = Level.REVIEW) -> Plan:
        return make_plan(survey([self.root]), CATALOGUE, lambda one: not rules or one.rule in rules, most)

    def observe(self) -> Observation:
        return observer([self.root], CATALOGUE)()

    def apply(self, plan: Plan) -> Applied:
        return Runner(plan, self.root, CATALOGUE, self.observe, lambda _: None).run(self.journal)

    def undo(self, step: int | None = None) -> Undone:
        return undo(self.journal, step)

    def bytes(self) -> dict[str, tuple[bytes, int]]:
        """Every file with its bytes and its mode."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): (path.read_bytes(), path.stat().st_mode) for path in files}


@pytest.fixture
def new_repository(tmp_path: Path) -> Callable[[], Repository]:
    """Repositories, each in a folder of its own."""
    numbers = count()

    def make() -> Repository:
        folder = tmp_path / str(next(numbers))
        (folder / "work").mkdir(parents=True)
        return Repository(folder / "work", folder / "plan.json.journal")

    return make


@pytest.fixture
def repository(new_repository: Callable[[], Repository]) -> Repository:
    return new_repository()


@pytest.fixture
def field() -> ModuleType:
    """The healthy repository and the classes of defects that were counted."""
    return FIELD
