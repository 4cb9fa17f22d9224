"""Making a plan: chooses remedies, resolves them into steps, merges what is the same and refuses what conflicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pfdoctor.core import message
from pfdoctor.core.action import Action, AssignRole, EnableProvider
from pfdoctor.core.condition import Scope, evaluate
from pfdoctor.core.derive import derive
from pfdoctor.core.facts import Facts, Found
from pfdoctor.core.firing import firing, identity
from pfdoctor.core.live_effects import as_measured, measured
from pfdoctor.core.model import CaseResult, Finding, Json, Level
from pfdoctor.core.plan.along import along
from pfdoctor.core.plan.foresee import DRIFT, compare, foresee, proven, rejoins
from pfdoctor.core.plan.live import changes_anything
from pfdoctor.core.plan.merge import merged
from pfdoctor.core.plan.permitted import is_permitted, permissions_of
from pfdoctor.core.plan.resolve import least_level, rendered, resolve
from pfdoctor.core.plan.resource import (
    NOTHING,
    AzureEdit,
    BodyChange,
    GrantRole,
    NewVersion,
    Resources,
    UpdateDeployment,
    UpdateEndpoint,
    digest,
)
from pfdoctor.core.plan.reversible import refused_again
from pfdoctor.core.plan.step import Edit, Fix, NotPlanned, Plan, RefusedError, Sources, Step, Target, touched
from pfdoctor.core.plan.words import effect_of, inverse_of, needs_of, title_of
from pfdoctor.core.rule import Catalogue, RemedySpec, Rule
from pfdoctor.core.simulation import simulate, source_of


class Chosen(NamedTuple):
    """What would mend one finding: the remedies, their actions where they act, the edits, and what is true after."""

    titles: tuple[str, ...]
    level: Level
    acts: tuple[tuple[Action, str, Found | None], ...]
    edits: tuple[Edit, ...]
    facts: Facts
    sources: Sources
    changes: tuple[bool, ...]


class Planner:
    """Plans for any number of cases over one set of files and `resources`, raw bodies as they were read.

    `judge` runs every rule on facts that were collected.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        sources: Sources,
        judge: Callable[[Facts], CaseResult],
        most: Level = Level.REVIEW,
        resources: Resources = NOTHING,
    ) -> None:
        self._catalogue = catalogue
        self._cases: Sequence[Facts] = ()
        self._resources = resources
        self._untouched = sources
        self._sources = sources
        self._judge = judge
        self._most = most
        self._facts: list[Facts] = []
        self._measured: list[dict[str, Json]] = []
        self._steps: list[Step] = []
        self._owner: dict[int, str] = {}
        self._fixed: set[int] = set()
        self._rejoined: int | None = None
        self._fixes: list[Fix] = []
        self._not_planned: list[NotPlanned] = []

    def plan(
        self,
        cases: Sequence[Facts],
        paths: Sequence[str],
        wanted: Callable[[Finding], bool] = lambda _: True,
        *,
        what_if: bool = True,
        live: Target | None = None,
    ) -> Plan:
        """The plan that mends the wanted findings. What is safe comes first, to be applied without the rest."""
        results = [self._judge(facts) for facts in cases]
        self._cases, self._facts = cases, list(cases)
        findings = [
            (case, finding)
            for case, result in enumerate(results)
            for finding in result.findings
            if finding.status.counts and wanted(finding)
        ]
        self._measured = [measured(facts) for facts in cases]
        self._mend_all(sorted(findings, key=lambda one: self._rank(one[0], one[1])))
        forecast = None
        if what_if:
            forecast = foresee(self._catalogue, tuple(zip(cases, results, strict=True)), self._facts, self._judge)
        fixes, steps = merged(self._fixes, [self._finished(step) for step in self._steps])
        return Plan(tuple(paths), fixes, tuple(map(self._worded, steps)), tuple(self._not_planned), forecast, live)

    def _rank(self, case: int, finding: Finding) -> tuple[int, bool]:
        """What is safe first; then what restarts nothing, for a roll-out leaves open what is known now."""
        rule = self._catalogue.rules[finding.rule]
        scope = _scope(rule, self._facts[case], finding.fingerprint)
        spec = next(self._applicable(rule, scope, set()), None) if scope is not None else None
        if spec is None:
            return Level.MANUAL.rank, False
        return spec.level.rank, not all(isinstance(action, AssignRole | EnableProvider) for action in spec.actions)

    def _applicable(self, rule: Rule, scope: Scope, used: set[int]) -> Iterator[RemedySpec]:
        """The remedies with actions that are offered here, those used up left out."""
        for index, spec in enumerate(rule.wording.remedies):
            fits = index not in used and spec.actions and spec.level.rank <= self._most.rank
            if fits and (spec.only_if is None or evaluate(spec.only_if, scope).truth is True):
                yield spec

    # --------------------------------------------------------------------------------------------------- one finding

    def _mend_all(self, findings: Sequence[tuple[int, Finding]]) -> None:
        """A fix that is refused now may be made after others: what it would have made true is not, any more."""
        while findings:
            made = len(self._fixes)
            refused = [(one, reason) for one in findings if (reason := self._refusal(*one)) is not None]
            findings = [one for one, _ in refused]
            if len(self._fixes) == made:
                self._not_planned = [reason for _, reason in refused]
                return

    def _refusal(self, case: int, finding: Finding) -> NotPlanned | None:
        """Mends the finding; why not, if it cannot be done."""
        try:
            self._mend(case, finding)
        except RefusedError as error:
            return NotPlanned(finding.rule, finding.case, finding.subject, finding.fingerprint, str(error))
        return None

    def _mend(self, case: int, finding: Finding) -> None:
        rule = self._catalogue.rules[finding.rule]
        now = self._facts[case]
        if _scope(rule, now, finding.fingerprint) is None:
            # what was measured counts until it is measured anew: a roll-out alone mends nothing of it
            now = as_measured(now, self._measured[case])
            if _scope(rule, now, finding.fingerprint) is None:
                return  # an earlier fix mends it, or leaves open whether it does: the forecast says which
        chosen = self._choose_harmless(rule, now, finding.fingerprint)
        if now is not self._facts[case]:
            chosen = chosen._replace(facts=self._replayed(case, chosen))
        self._not_apart(case, chosen)
        steps = self._take(rule, case, chosen)
        self._fixes.append(
            Fix(
                rule.id,
                finding.case,
                finding.subject,
                finding.fingerprint,
                finding.message,
                "; ".join(dict.fromkeys(chosen.titles)),
                chosen.level,
                tuple(steps),
            )
        )
        self._rejoined = case if rejoins(self._facts[case], chosen.facts) else self._rejoined
        self._fixed.add(case)
        self._facts[case] = chosen.facts
        self._sources = chosen.sources
        self._spread(case, chosen)

    def _replayed(self, case: int, chosen: Chosen) -> Facts:
        """The facts of the case after what was chosen on others."""
        facts = self._facts[case]
        for action, view, item in chosen.acts:
            facts = simulate(action, facts, view, item)
        return facts

    def _choose_harmless(self, rule: Rule, facts: Facts, fingerprint: str) -> Chosen:
        """What mends the finding and makes nothing else true, as far as that is foreseen."""
        used: set[int] = set()
        harm: RefusedError | None = None
        while True:
            try:
                chosen = self._choose(rule, facts, fingerprint, used)
            except RefusedError as error:
                raise harm or error from error
            now = (facts, self._judge(facts))
            introduced, _ = compare(self._catalogue, now, proven(self._judge(chosen.facts)))
            # that files and Azure differ until both are mended, or until the files are deployed, is no harm
            harmful = [one for one in introduced if self._catalogue.rules[one.rule].category != DRIFT]
            if not harmful:
                return chosen
            harm = RefusedError(f"it would make {harmful[0].rule} true: {harmful[0].message}")

    def _not_apart(self, case: int, chosen: Chosen) -> None:
        """Refuses to change which files belong together in one plan with fixes of other cases: all would be guesses."""
        changes = rejoins(self._facts[case], chosen.facts)
        if self._rejoined not in (None, case) or (changes and self._fixed - {case}):
            raise RefusedError("which files belong together changes in between: apply this plan, then plan again")

    def _choose(self, rule: Rule, facts: Facts, fingerprint: str, used: set[int]) -> Chosen:
        """The first remedy that can be made and, while the rule still fires after it, those that complete it.

        `used` are the remedies that are not to be tried again; those tried are added.
        """
        chosen = Chosen((), Level.SAFE, (), (), facts, self._sources, ())
        refusals: list[str] = []
        while (scope := _scope(rule, chosen.facts, fingerprint)) is not None:
            spec = next(self._applicable(rule, scope, used), None)
            if spec is None:
                break
            used.add(rule.wording.remedies.index(spec))
            try:
                chosen = self._add(chosen, spec, scope)
            except RefusedError as error:
                refusals.append(str(error))
        if not chosen.edits:
            raise RefusedError(refusals[0] if refusals else _by_hand(rule))
        if scope is not None:
            raise RefusedError(refusals[0] if refusals else "no fix that can be planned mends it")
        if not any(chosen.changes) and not any(self._same_step(edit) for edit in chosen.edits):
            raise RefusedError("what the fix would write is there already")
        return chosen

    def _add(self, chosen: Chosen, spec: RemedySpec, scope: Scope) -> Chosen:
        actions = [rendered(action, spec.texts, scope) for action in spec.actions]
        edits = [edit for action in actions for edit in resolve(action, scope, self._untouched, self._resources)]
        for edit in edits:
            self._not_against(edit)
        for action in along(actions, edits, scope, self._catalogue.schema):
            more = self._possible(action, scope, chosen.sources, edits)
            if more:
                actions.append(action)
                edits += more
        sources, changes = self._tried(chosen.sources, edits)
        facts = chosen.facts
        item = source_of(scope, facts)
        for action in actions:
            facts = simulate(action, facts, scope.view, item)
        level = max((chosen.level, spec.level, *map(least_level, edits)), key=_rank_of)
        return Chosen(
            (*chosen.titles, message.render(spec.title, spec.texts, scope)),
            level,
            (*chosen.acts, *((action, scope.view, item) for action in actions)),
            (*chosen.edits, *edits),
            facts,
            sources,
            (*chosen.changes, *changes),
        )

    def _possible(self, action: Action, scope: Scope, sources: Sources, edits: list[Edit]) -> tuple[Edit, ...]:
        """The edits of what need not be done; none where they cannot be made."""
        try:
            more = resolve(action, scope, self._untouched, self._resources)
            for edit in more:
                self._not_against(edit)
            self._tried(sources, [*edits, *more])
        except RefusedError:
            return ()
        return more

    def _not_against(self, edit: Edit) -> None:
        """Refuses an edit of what another fix edits in another way."""
        for step in self._steps:
            if not _equal(step.edit, edit) and _overlap(step.edit, edit):
                raise RefusedError(f"it conflicts with the fix of {self._owner[step.id]}: {step.title}")

    # ------------------------------------------------------------------------------------------------------- steps

    def _take(self, rule: Rule, case: int, chosen: Chosen) -> list[int]:
        """The ids of the fix's steps; an edit that is planned already is not planned twice."""
        ids: list[int] = []
        for edit, changes in zip(chosen.edits, chosen.changes, strict=True):
            known = self._same_step(edit)
            if known is not None:
                ids.append(known.id)
            elif changes:
                step = self._step(edit, chosen.level, case)
                self._steps.append(step)
                self._owner[step.id] = rule.id
                ids.append(step.id)
        return list(dict.fromkeys(ids))

    def _same_step(self, edit: Edit) -> Step | None:
        return next((step for step in self._steps if _equal(step.edit, edit)), None)

    def _step(self, edit: Edit, level: Level, case: int) -> Step:
        permissions = permissions_of(edit, self._facts[case])
        return Step(
            id=len(self._steps) + 1,
            edit=edit,
            level=level,
            title=title_of(edit),
            needs=needs_of(edit, permissions),
            effect=effect_of(edit, self._facts[case]),
            inverse=inverse_of(edit),
            expects={},
            permitted=is_permitted(permissions),
            permissions=permissions,
        )

    def _tried(self, sources: Sources, edits: Sequence[Edit]) -> tuple[Sources, tuple[bool, ...]]:
        """The files after the edits, and which of all edits change anything."""
        after, changed = sources.after([edit for edit in edits if not isinstance(edit, AzureEdit)])
        of_files = iter(changed)
        return after, tuple(
            changes_anything(edit, self._resources) if isinstance(edit, AzureEdit) else next(of_files) for edit in edits
        )

    def _finished(self, step: Step) -> Step:
        """The step with what it expects to find."""
        edit = step.edit
        if isinstance(edit, NewVersion):
            expects = {edit.base: digest(self._resources.body(edit.base)), edit.target: None}
        elif isinstance(edit, UpdateDeployment | UpdateEndpoint):
            expects = {edit.target: digest(self._resources.body(edit.target))}
        elif isinstance(edit, GrantRole):
            expects = {edit.target: None}
        elif isinstance(edit, AzureEdit):
            expects = {}
        else:
            expects = {file: self._untouched.digest(file) for file in touched(edit)}
        return step._replace(expects=expects)

    def _worded(self, step: Step) -> Step:
        """A step that was merged says all that it does, and whether Azure will take it back."""
        if not isinstance(step.edit, AzureEdit):
            return step
        inverse = refused_again(step.edit, self._resources, self._cases) or step.inverse
        return step._replace(title=title_of(step.edit), inverse=inverse)

    def _spread(self, case: int, chosen: Chosen) -> None:
        """A file may belong to several cases: the others will see the same change."""
        for other in range(len(self._facts)):
            if other == case:
                continue
            for action, view, item in chosen.acts:
                edits = self._edits_in(other, action, view, item)
                if edits and all(any(_equal(edit, one) for one in chosen.edits) for edit in edits):
                    self._facts[other] = simulate(action, self._facts[other], view, item)

    def _edits_in(self, case: int, action: Action, view: str, item: Found | None) -> tuple[Edit, ...]:
        """What the action would come to in another case; nothing where that case has no such fact."""
        try:
            return resolve(action, Scope(self._facts[case], view, item), self._untouched, self._resources)
        except (RefusedError, LookupError, TypeError):
            return ()


def _rank_of(level: Level) -> int:
    return level.rank


def _scope(rule: Rule, facts: Facts, fingerprint: str) -> Scope | None:
    """Where the rule fires with this identity, if it does."""
    return next((scope for scope in firing(rule, derive(facts)) if identity(rule, scope) == fingerprint), None)


def _by_hand(rule: Rule) -> str:
    first = next(iter(rule.wording.remedies), None)
    return "it is mended by hand" + (f": {first.title}" if first is not None and "{" not in first.title else "")


def _equal(left: Edit, right: Edit) -> bool:
    """Whether both do the same; what a value was before does not matter."""
    if type(left) is not type(right):
        return False
    return all(_without_old(getattr(left, name)) == _without_old(getattr(right, name)) for name in _compared(left))


def _compared(edit: Edit) -> list[str]:
    return [name for name in edit._fields if name != "old"]


def _without_old(value: Json) -> Json:
    if isinstance(value, tuple):
        return tuple(one._replace(old=None) if isinstance(one, BodyChange) else one for one in value)
    return value


def _overlap(left: Edit, right: Edit) -> bool:
    """Whether two different edits speak of the same place."""
    if not set(touched(left)) & set(touched(right)):
        return False
    if isinstance(left, AzureEdit) or isinstance(right, AzureEdit):
        return any(_meet(one, other) for one in _changes(left) for other in _changes(right))
    one, other = getattr(left, "path", None), getattr(right, "path", None)
    if one is not None and other is not None:
        shared = min(len(one), len(other))
        return bool(one[:shared] == other[:shared])
    names = getattr(left, "name", None), getattr(right, "name", None)
    # two packages of one file are two places; a file that is created or moved is one place altogether
    return None in names or names[0] == names[1]


def _changes(edit: Edit) -> tuple[BodyChange, ...]:
    changes: tuple[BodyChange, ...] = getattr(edit, "changes", ())
    return changes


def _meet(one: BodyChange, other: BodyChange) -> bool:
    """Whether two changes of one body cannot both be made."""
    shared = min(len(one.path), len(other.path))
    return one.path[:shared] == other.path[:shared] and one._replace(old=None) != other._replace(old=None)
