"""What `plan`, `apply` and `check --fix` share: collecting, planning, and the files before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.cli.gather import combine, likely
from pfdoctor.collect.folder import scan
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Finding, Json, Level, NoInputError, PfdoctorError
from pfdoctor.core.plan import Plan, Planner, RefusedError, StaleError, Target
from pfdoctor.core.plan.resource import NOTHING, Resources
from pfdoctor.core.plan.step import place_of
from pfdoctor.core.rule import Catalogue
from pfdoctor.edit.diff import diff
from pfdoctor.edit.sources import FileSources

if TYPE_CHECKING:
    from pfdoctor.cli.live import Live

PENDING = 8
"""The exit code where nothing failed, and changes are still to be made."""


class Ground(NamedTuple):
    """What is there: the facts of every case, and the folder that all file names are relative to."""

    paths: tuple[Path, ...]
    root: Path
    cases: tuple[Facts, ...]
    problems: tuple[dict[str, Json], ...]
    resources: Resources = NOTHING
    live: Target | None = None


def survey_live(paths: Sequence[Path], live: Live, catalogue: Catalogue) -> Ground:
    """Collect the endpoint, with the files that define it if there are any, and the bodies that a plan may change."""
    files = survey(paths) if paths else Ground((), Path.cwd(), (), ())
    meant = likely(files.cases, "the endpoint") if files.cases else None
    view = meant.document.get("declared") if meant is not None else None
    if meant is not None:
        live = live.of_files(meant)
    cases = tuple(combine(files.cases, live.collect(catalogue, view), []))
    return files._replace(cases=cases, resources=live.resources(cases), live=live.target())


def survey(paths: Sequence[Path]) -> Ground:
    """Collect every case. Raises NoInputError where there is none."""
    scans, problems = scan(paths)
    cases = tuple(facts for one in scans for facts in one.cases())
    if not cases:
        raise NoInputError("nothing to plan for: no flow, deployment, endpoint, environment or model was found")
    return Ground(tuple(paths), scans[0].tree.root, cases, tuple(problems))


def judge(catalogue: Catalogue) -> Callable[[Facts], CaseResult]:
    """Every rule of the catalogue, on the facts of a case."""
    return lambda facts: diagnose(facts, catalogue)


def make_plan(
    ground: Ground,
    catalogue: Catalogue,
    wanted: Callable[[Finding], bool],
    most: Level = Level.REVIEW,
    *,
    what_if: bool = True,
) -> Plan:
    """The plan that mends what is wanted and found."""
    planner = Planner(catalogue, FileSources(ground.root), judge(catalogue), most, ground.resources)
    paths = [path.as_posix() for path in ground.paths]
    return planner.plan(ground.cases, paths, wanted, what_if=what_if, live=ground.live)


def diff_of(plan: Plan, root: Path) -> list[str]:
    """The unified diff of all that the plan changes. Raises StaleError where the files are not as it expects them."""
    sources = FileSources(root)
    try:
        after, _ = sources.after(plan.file_edits())
    except RefusedError as error:
        raise StaleError(f"{error}: plan again") from error
    return list(diff(sources, after, plan.files()))


def changes_of(plan: Plan, root: Path) -> list[str]:
    """All that the plan changes: a line for each step in Azure, then the diff of the files. Raises StaleError."""
    return [*(f"{place_of(step.edit)}: {step.title}" for step in plan.azure), *diff_of(plan, root)]


def root_of(plan: Plan, name: str) -> Path:
    """The folder that the plan's files are relative to: found from its paths, as when it was made."""
    if not plan.paths and plan.live is not None:
        return Path.cwd()
    missing = [path for path in plan.paths if not Path(path).exists()]
    if missing:
        raise PfdoctorError(f"{name} is for {missing[0]}, which is not here: run apply where the plan was made")
    scans, _ = scan([Path(path) for path in plan.paths])
    if not scans:
        raise PfdoctorError(f"{name} is for no path")
    return scans[0].tree.root
