"""Collects facts from files: `collect(paths)` gives one `Facts` a case."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pfdoctor.collect.folder.cases import CaseReader
from pfdoctor.collect.folder.discover import Inventory, discover
from pfdoctor.collect.folder.files import Tree, find_boundary
from pfdoctor.collect.folder.join import CasePlan, Joiner, plan_cases
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json, PfdoctorError


class Scan(NamedTuple):
    """What one read boundary holds, planned but not read yet."""

    tree: Tree
    inventory: Inventory
    joiner: Joiner
    plans: tuple[CasePlan, ...]

    def case(self, index: int) -> Facts:
        """The facts of one planned case."""
        return CaseReader(self.tree, self.inventory, self.joiner).read(self.plans[index])

    def leftovers(self) -> Iterator[Facts]:
        """The facts of the files that belong to no planned case."""
        return CaseReader(self.tree, self.inventory, self.joiner).leftovers()

    def cases(self) -> Iterator[Facts]:
        """The facts of every planned case, then of the files that belong to none."""
        for index in range(len(self.plans)):
            yield self.case(index)
        yield from self.leftovers()


class Collected(NamedTuple):
    """The facts of every case, and the inputs that could not be examined."""

    cases: tuple[Facts, ...]
    problems: tuple[dict[str, Json], ...]


def scan(paths: Sequence[Path]) -> tuple[list[Scan], list[dict[str, Json]]]:
    """What the paths hold, one scan for each git root (or path outside of one), and the paths that are not there."""
    if not _has_current_folder():
        raise PfdoctorError("the current folder does not exist any more: change to another one")
    problems: list[dict[str, Json]] = []
    by_boundary: dict[Path, list[Path]] = {}
    for path in paths:
        if not os.path.lexists(path):
            problems.append({"path": str(path), "problem": "missing", "detail": "no such file or folder"})
        else:
            absolute = Path(os.path.abspath(path))
            by_boundary.setdefault(find_boundary(absolute), []).append(absolute)
    _unite(by_boundary)
    root = _common_root(list(by_boundary))
    scans = []
    typed = {os.path.abspath(path): str(path) for path in paths}
    for boundary, members in by_boundary.items():
        tree = Tree(root=boundary if len(by_boundary) == 1 else root, boundary=boundary)
        inventory = Inventory()
        for member in members:
            discover(tree, member, inventory)
        inventory.flows = list(dict.fromkeys(inventory.flows))
        # a path is named as the user wrote it
        whole = {tree.name(name): written for name, written in typed.items()}
        problems += [{**one, "path": whole.get(one["path"], one["path"])} for one in inventory.problems]
        joiner = Joiner(tree, inventory, frozenset(members))
        scans.append(Scan(tree, inventory, joiner, tuple(plan_cases(inventory, joiner))))
    return scans, problems


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _unite(by_boundary: dict[Path, list[Path]]) -> None:
    """Outside of git, a folder that was given together with one around it, or a file in that, is read with it."""
    for inner in [one for one in by_boundary if not os.path.exists(one / ".git")]:
        outer = next((one for one in inner.parents if one in by_boundary), None)
        if outer is not None:
            by_boundary[outer] += by_boundary.pop(inner)


def _common_root(boundaries: list[Path]) -> Path:
    return Path(os.path.commonpath(boundaries)) if boundaries else Path.cwd()


def collect(paths: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> Collected:
    """The facts of every case below the paths. `progress` is told how many of how many cases are read."""
    scans, problems = scan(paths)
    total = sum(len(one.plans) for one in scans)
    cases: list[Facts] = []
    for one in scans:
        for facts in one.cases():
            cases.append(facts)
            if progress is not None:
                progress(len(cases), max(total, len(cases)))
    return Collected(tuple(cases), tuple(problems))


__all__ = ["Collected", "Scan", "collect", "scan"]
