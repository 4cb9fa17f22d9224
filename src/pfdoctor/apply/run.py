"""Running a plan, step by step: look, record, change, look again; what does not hold is undone, and the run stops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.apply import files
from pfdoctor.apply.effective import Standing, standing
from pfdoctor.apply.file_steps import write_files
from pfdoctor.apply.journal import Journal, JournalError, Record, is_begun, read, undoing
from pfdoctor.apply.undo import Undone, reason_of, undo_entries
from pfdoctor.apply.verify import Observation, Observe, new_causes
from pfdoctor.core.model import PfdoctorError
from pfdoctor.core.plan import Fix, Outcome, PassingError, Plan, RefusedError, StaleError, Step
from pfdoctor.core.plan.resource import AzureEdit, GrantRole, UpdateDeployment
from pfdoctor.core.rule import Catalogue
from pfdoctor.edit.sources import FileSources, inside

if TYPE_CHECKING:
    # a plan for files alone does not pay for the Azure SDK
    from pfdoctor.apply.azure import AzureHand


_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 30.0


class Applied(NamedTuple):
    """How a run ended. `failure` says why it stopped; `undone` are the steps that were taken back for it.

    `revealed` are findings that nobody could have told before: they are no fault of a fix. Grants are told apart:
    `undecided` is what Azure took and nobody could look at afterwards (each with the reason; so may be any other fix),
    `pending` what it has not put in force yet, `unverified` what is in force and was not seen to work. `stays` is what
    an undo cannot take back, `not_begun` what the run did not come to. Of the plan that was saved, `declined` is what
    somebody did not want, and `unasked` what is still to be done and nobody was asked about.
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
    undecided: tuple[tuple[Fix, str], ...] = ()
    not_begun: tuple[Fix, ...] = ()
    declined: tuple[Fix, ...] = ()
    unasked: tuple[Fix, ...] = ()
    failed: Fix | None = None
    passing: bool = False
    """Whether the same again may get further than the failure."""


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
        self._name = ""
        self._plan = plan
        self._root = root
        self._catalogue = catalogue
        self._observe = observe
        self._tell = tell
        self._steps = {step.id: step for step in plan.steps}

    def check(self, journal: Path, name: str = "") -> bool:
        """Whether anything is to be done. Writes nothing; `name` is what the journal calls the plan.

        Raises StaleError where a file or resource is not as the plan expects it, or may not be written.
        """
        self._name = name
        in_files = self._check_files(record := self._record(journal))
        if not self._plan.azure:
            return in_files
        return self._hand().check(self._plan.azure, record) or in_files

    def _record(self, journal: Path) -> Record | None:
        """What an earlier run of this plan left. Raises JournalError where the journal is of another plan."""
        record = read(journal) if is_begun(journal) else None
        if record is None or record.plan == self._name:
            return record
        if record.entries:
            raise JournalError(
                f"{journal} has steps of another plan; nothing was changed: name another --journal, or take them back "
                f"with: {undoing(journal)}"
            )
        return None

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
            what = "is not there any more"
            if now is not None:
                was = " or ".join(sorted("not there" if one is None else one[:12] for one in expected))
                what = f"was changed since the plan was made: its content hash was {was} and is {now[:12]}"
            raise StaleError(f"{file} {what}; nothing was changed: plan again")

    def run(self, path: Path, name: str = "") -> Applied:
        """Apply every fix; `name` is what the journal calls the plan. Raises StaleError before anything was changed."""
        if not self.check(path, name) and not path.exists():
            return Applied((), self._plan.fixes, ())
        with Journal(path, self._root, self._name).opened() as journal:
            record = self._resume(journal)
            return self._fixes(journal, record)

    def _resume(self, journal: Journal) -> Record | None:
        """What an earlier run left: a step that it was killed in is done, or was not begun."""
        record = self._record(journal.path)
        if record is None:
            journal.start()
            return None
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
        for number, fix in enumerate(self._plan.fixes, start=1):
            stopped = applied._replace(not_begun=self._plan.fixes[number:])
            before = before or self._observe()
            failure, done, passing = self._perform_all(journal, fix)
            ran |= done
            if failure is None and not done and (not ran & set(fix.steps) or fix.fingerprint in verified):
                applied = applied._replace(already=(*applied.already, fix))
                continue
            if failure is not None:
                return self._failed(stopped._replace(passing=passing), failure, journal, fix, verified)
            try:
                after, standing = self._until_effective(fix, self._observe() if done else before)
            except PfdoctorError as error:
                # it is done; that nobody can look at it is no reason to take it back
                return stopped._replace(undecided=((fix, f"nobody could look at what came of it: {error}"),))
            if standing is Standing.PENDING:
                # taken, and not in force yet: nothing went wrong, and nothing that leans on it can go on
                return stopped._replace(pending=(fix,))
            introduced, revealed = self._new_causes(fix, before, after)
            failure = _failure(fix, after, introduced)
            if failure is not None:
                return self._failed(stopped, failure, journal, fix, verified)
            open_reason = after.why_undecided(fix.rule, fix.case, before)
            if open_reason is not None:
                return stopped._replace(undecided=((fix, open_reason),))
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

    def _failed(self, stopped: Applied, failure: str, journal: Journal, fix: Fix, verified: set[str]) -> Applied:
        """Take back what the fix did, and say why."""
        undone = self._take_back(journal, fix, verified)
        return stopped._replace(failed=fix, failure=failure, undone=undone.steps, left=undone.left, stays=undone.stays)

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
            waiting.tell(
                f"{grants[0].role} is assigned and not in force yet ({waited:.0f} of at most {waiting.longest:.0f} s)"
            )
            waiting.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, _LONGEST_PAUSE)
            after = self._observe()
        return after, Standing.EFFECTIVE

    def _perform_all(self, journal: Journal, fix: Fix) -> tuple[str | None, set[int], bool]:
        """Why a step of the fix could not be done, the steps that were, and whether the same again may get further."""
        done: set[int] = set()
        number = 0
        try:
            for number in fix.steps:
                if self._perform(journal, self._steps[number]):
                    done.add(number)
        except (OSError, RefusedError, PfdoctorError) as error:
            # a login that ended meanwhile is one of them
            passing = isinstance(error, PassingError | PfdoctorError | OSError)
            return f"step {number} could not be done: {reason_of(error)}", done, passing
        return None, done, False

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
        return write_files(journal, self._root, step, step.edit, self._tell)


def _failure(fix: Fix, after: Observation, introduced: tuple[Outcome, ...]) -> str | None:
    if fix.fingerprint in after.proven:
        return f"{fix.rule} still fires after its fix: {fix.message}"
    if introduced:
        first = introduced[0]
        more = f" (and {len(introduced) - 1} more)" if len(introduced) > 1 else ""
        return f"the fix of {fix.rule} made {first.rule} true{more}: {first.message}"
    return None
