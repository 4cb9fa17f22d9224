"""Running a plan, step by step: look, record, change, look again; what does not hold is undone, and the run stops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.apply import files
from pfdoctor.apply.effective import Standing, standing
from pfdoctor.apply.journal import Change, Entry, Journal, Record, is_begun, read
from pfdoctor.apply.undo import Undone, undo_entries
from pfdoctor.apply.verify import Observation, Observe, new_causes
from pfdoctor.core.plan import Fix, Outcome, Plan, RefusedError, StaleError, Step
from pfdoctor.core.plan.resource import AzureEdit, GrantRole, UpdateDeployment
from pfdoctor.core.plan.step import FileEdit, MovedFile, touched
from pfdoctor.core.rule import Catalogue
from pfdoctor.edit.change import changed
from pfdoctor.edit.sources import FileSources, digest_of, inside

if TYPE_CHECKING:
    # a plan for files alone does not pay for the Azure SDK
    from pfdoctor.apply.azure import AzureHand


_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 30.0


class Applied(NamedTuple):
    """How a run ended. `failure` says why it stopped; `undone` are the steps that were taken back for it.

    `revealed` are findings that nobody could have told before: they are no fault of a fix. `pending` is what Azure took
    and has not put in force yet, `unverified` what is in force and was not seen to work; `stays` what an undo cannot
    take back.
    """

    fixed: tuple[Fix, ...]
    already: tuple[Fix, ...]
    revealed: tuple[Outcome, ...]
    failure: str | None = None
    undone: tuple[int, ...] = ()
    left: tuple[tuple[int, str], ...] = ()
    stays: tuple[tuple[int, str], ...] = ()
    pending: tuple[Fix, ...] = ()
    unverified: tuple[Fix, ...] = ()


class Runner:
    """Applies one plan to the files below `root`, and by `azure` to Azure.

    `tell` is called with every step before it is done.
    """

    def __init__(
        self,
        plan: Plan,
        root: Path,
        catalogue: Catalogue,
        observe: Observe,
        tell: Callable[[Step], None],
        azure: AzureHand | None = None,
    ) -> None:
        self._azure = azure
        self._plan = plan
        self._root = root
        self._catalogue = catalogue
        self._observe = observe
        self._tell = tell
        self._steps = {step.id: step for step in plan.steps}

    def check(self, journal: Path) -> bool:
        """Whether anything is to be done. Writes nothing.

        Raises StaleError where a file or resource is not as the plan expects it, or may not be written.
        """
        record = read(journal) if is_begun(journal) else None
        in_files = self._check_files(record)
        if not self._plan.azure:
            return in_files
        return self._hand().check(self._plan.azure, record) or in_files

    def _hand(self) -> AzureHand:
        if self._azure is None:
            raise StaleError("the plan changes Azure, and nobody is logged in; nothing was changed")
        return self._azure

    def _check_files(self, record: Record | None) -> bool:
        sources = FileSources(self._root)
        try:
            after, changes = sources.after(self._plan.file_edits())
        except RefusedError as error:
            raise StaleError(f"{error}; nothing was changed: plan again") from error
        if not any(changes):
            return False
        for file in self._plan.files():
            if sources.read(file) == after.read(file):
                continue
            self._not_stale(file, sources.digest(file), record)
            try:
                files.check_writable(self._root, file)
            except RefusedError as error:
                raise StaleError(f"{error}; nothing was changed") from error
        return True

    def _not_stale(self, file: str, now: str | None, record: Record | None) -> None:
        """What is there must be what the plan was made for, or what our own steps left."""
        expected = {step.expects[file] for step in self._plan.steps if file in step.expects}
        if record is not None:
            for entry in record.entries:
                expected |= {digest for one in entry.changes if one.file == file for digest in (one.before, one.after)}
        if now not in expected:
            what = "is not there any more" if now is None else "was changed since the plan was made"
            raise StaleError(f"{file} {what}; nothing was changed: plan again")

    def run(self, path: Path) -> Applied:
        """Apply every fix. Raises StaleError before anything was changed."""
        if not self.check(path) and not path.exists():
            return Applied((), self._plan.fixes, ())
        with Journal(path, self._root).opened() as journal:
            record = self._resume(journal)
            return self._fixes(journal, record)

    def _resume(self, journal: Journal) -> Record | None:
        """What an earlier run left: a step that it was killed in is done, or was not begun."""
        if not is_begun(journal.path):
            return None
        record = read(journal.path)
        sources = FileSources(self._root)
        if self._plan.azure:
            self._hand().resume(journal, self._steps, record)
        for entry in record.entries:
            if entry.resource is not None:
                continue
            for one in entry.changes:
                files.temporary_of(inside(self._root, one.file)).unlink(missing_ok=True)
            if not entry.done and all(sources.digest(one.file) == one.after for one in entry.changes):
                journal.write({"event": "done", "step": entry.step})
        return read(journal.path)

    def _fixes(self, journal: Journal, record: Record | None) -> Applied:
        applied = Applied((), (), ())
        ran = {one.step for one in record.entries} if record is not None else set()
        verified = set(record.verified) if record is not None else set()
        before: Observation | None = None
        for fix in self._plan.fixes:
            before = before or self._observe()
            failure, done = self._perform_all(journal, fix)
            ran |= done
            if failure is None and not done and (not ran & set(fix.steps) or fix.fingerprint in verified):
                applied = applied._replace(already=(*applied.already, fix))
                continue
            after = self._observe() if done else before
            after, standing = self._until_effective(fix, after) if failure is None else (after, Standing.EFFECTIVE)
            if standing is Standing.PENDING:
                # taken, and not in force yet: nothing went wrong, and nothing that leans on it can go on
                return applied._replace(pending=(*applied.pending, fix))
            introduced, revealed = self._new_causes(fix, before, after)
            failure = failure or _failure(fix, after, introduced)
            if failure is not None:
                undone = self._take_back(journal, fix, verified)
                return applied._replace(failure=failure, undone=undone.steps, left=undone.left, stays=undone.stays)
            journal.write({"event": "verified", "fingerprint": fix.fingerprint, "steps": list(fix.steps)})
            verified.add(fix.fingerprint)
            applied = applied._replace(fixed=(*applied.fixed, fix), revealed=(*applied.revealed, *revealed))
            if standing is Standing.UNVERIFIED:
                applied = applied._replace(unverified=(*applied.unverified, fix))
            before = after
            # what a later fix mended was never anybody's problem
            applied = applied._replace(
                revealed=tuple(one for one in applied.revealed if one.fingerprint in after.proven)
            )
        return applied

    def _new_causes(
        self, fix: Fix, before: Observation, after: Observation
    ) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]]:
        edits = [self._steps[step].edit for step in fix.steps]
        return new_causes(
            self._catalogue,
            before,
            after,
            restarted=any(isinstance(edit, UpdateDeployment) for edit in edits),
            granted=frozenset(edit.target.lower() for edit in edits if isinstance(edit, GrantRole)),
        )

    def _until_effective(self, fix: Fix, after: Observation) -> tuple[Observation, Standing]:
        """Looks again until every role of the fix is in force, or for as long as anybody wants to wait."""
        grants = [edit for step in fix.steps if isinstance(edit := self._steps[step].edit, GrantRole)]
        rule = self._catalogue.rules.get(fix.rule)
        waited, pause = 0.0, _FIRST_PAUSE
        while grants:
            waiting = self._hand().waiting
            reached = min(standing(edit, rule, after) for edit in grants)
            if reached is not Standing.PENDING or waited >= waiting.longest:
                return after, reached
            waiting.tell(f"{grants[0].role} is assigned and not in force yet ({waited:.0f} s)")
            waiting.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, _LONGEST_PAUSE)
            after = self._observe()
        return after, Standing.EFFECTIVE

    def _perform_all(self, journal: Journal, fix: Fix) -> tuple[str | None, set[int]]:
        """Why a step of the fix could not be done, and the steps that were."""
        done: set[int] = set()
        number = 0
        try:
            for number in fix.steps:
                if self._perform(journal, self._steps[number]):
                    done.add(number)
        except (OSError, RefusedError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            return f"step {number} could not be done: {reason}", done
        return None, done

    def _take_back(self, journal: Journal, fix: Fix, verified: set[str]) -> Undone:
        """Undo what the fix did, but for what another fix, which holds, did as well."""
        if not is_begun(journal.path):
            return Undone((), ())
        held = {step for one in self._plan.fixes if one.fingerprint in verified for step in one.steps}
        entries = [one for one in reversed(read(journal.path).entries) if one.step in fix.steps]
        undone = undo_entries(journal, self._root, [one for one in entries if one.step not in held], self._azure)
        shared = tuple((one.step, "another fix, which holds, needs it") for one in entries if one.step in held)
        return undone._replace(left=(*undone.left, *shared))

    # ------------------------------------------------------------------------------------------------------ one step

    def _perform(self, journal: Journal, step: Step) -> bool:
        """Whether anything had to be done: a target that holds the step's result already is left alone."""
        if isinstance(step.edit, AzureEdit):
            record = read(journal.path) if is_begun(journal.path) else None
            return self._hand().perform(journal, step, record, self._tell)
        return self._write_files(journal, step, step.edit)

    def _write_files(self, journal: Journal, step: Step, edit: FileEdit) -> bool:
        sources = FileSources(self._root)
        new = changed(edit, sources.read)
        if not new:
            return False
        self._tell(step)
        changes = tuple(
            Change(file, sources.digest(file), None if data is None else digest_of(data)) for file, data in new.items()
        )
        moved = edit.to if isinstance(edit, MovedFile) else None
        folders = self._missing_folders(step)
        journal.begin(
            Entry(step.id, changes, folders, moved, done=False),
            {file: self._kept(sources, file, moved) for file in new},
        )
        for folder in folders:
            (self._root / folder).mkdir(exist_ok=True)
        if moved is not None:
            files.move(inside(self._root, edit.file), inside(self._root, moved))
        else:
            for file, data in new.items():
                if data is not None:
                    path = inside(self._root, file)
                    files.replace(path, data, path.stat().st_mode & 0o7777 if path.exists() else None)
        journal.write({"event": "done", "step": step.id})
        return True

    def _kept(self, sources: FileSources, file: str, moved: str | None) -> tuple[bytes | None, int | None]:
        """What the undo needs of a file: nothing of one that is only moved."""
        data = sources.original(file) if moved is None else None
        return data, None if data is None else inside(self._root, file).stat().st_mode & 0o7777

    def _missing_folders(self, step: Step) -> tuple[str, ...]:
        """Folders that the step has to create, the outermost first."""
        missing: list[str] = []
        for file in touched(step.edit):
            folder = Path(file).parent
            while folder.parts and not (self._root / folder).exists():
                missing.append(folder.as_posix())
                folder = folder.parent
        return tuple(dict.fromkeys(reversed(missing)))


def _failure(fix: Fix, after: Observation, introduced: tuple[Outcome, ...]) -> str | None:
    if fix.fingerprint in after.proven:
        return f"{fix.rule} still fires after its fix: {fix.message}"
    if introduced:
        first = introduced[0]
        more = f" (and {len(introduced) - 1} more)" if len(introduced) > 1 else ""
        return f"the fix of {fix.rule} made {first.rule} true{more}: {first.message}"
    return None
