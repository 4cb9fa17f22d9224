"""The catalogue's nouns: rules, their wording, and symptoms. Reading them from mappings is rule_reader's work."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from pfdoctor.core.action import Action
from pfdoctor.core.condition import Condition
from pfdoctor.core.facts import FactPath, FactsSchema
from pfdoctor.core.model import Confidence, Grade, Json, Level, PfdoctorError, Severity
from pfdoctor.core.truth import Truth, once_asked

DOCS = "https://github.com/pfdoctor/pfdoctor/blob/main/docs/rules/"

_T = TypeVar("_T")


class RuleError(PfdoctorError):
    """One or more faults of rule files; each line of the message names file, line, fault and hint."""


class Reference(NamedTuple):
    """Where a claim comes from and what it is worth."""

    title: str
    url: str
    grade: Grade


class RemedySpec(NamedTuple):
    """A remedy as the rule states it; `only_if` says for which facts it is offered."""

    title: str
    level: Level
    only_if: Condition | None
    actions: tuple[Action, ...]
    raw_actions: tuple[dict[str, Json], ...]
    steps: str | None
    texts: dict[str, FactPath]


class Wording(NamedTuple):
    """What a person is told about a rule: needed only once it fires, or when somebody asks."""

    message: str
    texts: dict[str, FactPath]
    remedies: tuple[RemedySpec, ...]
    references: tuple[Reference, ...]
    related: tuple[FactPath, ...]
    explanation: str
    ignore_when: str | None
    covers: dict[str, Json]
    tests: tuple[dict[str, Json], ...]


class Deferred(Generic[_T]):
    """A value built at its first use: most rules of a run pass, and nobody reads what they would have said."""

    __slots__ = ("_build", "_value")

    def __init__(self, build: Callable[[], _T]) -> None:
        self._build: Callable[[], _T] | None = build
        self._value: _T | None = None

    def __call__(self) -> _T:
        if self._build is not None:
            self._value = self._build()
            self._build = None
        return self._value  # type: ignore[return-value]  # built above


class Rule(NamedTuple):
    """One distinct cause: when it is true, what it leaves behind, and what mends it.

    `each` is the list of which every element is judged (`it`); `key` tells those elements apart for ever; `at` is the
    fact whose place a finding shows. `views` are those that can hold everything the rule asks of one view, and
    `requires` what it asks for by name: views, `logs`.
    """

    id: str
    title: str
    category: str
    severity: Severity
    confidence: Confidence
    subject: FactPath
    applies: Condition | None
    when: Condition
    each: FactPath | None
    key: str | None
    at: FactPath | None
    symptoms: tuple[str, ...]
    specialises: tuple[str, ...]
    leads_to: tuple[str, ...]
    views: tuple[str, ...]
    requires: tuple[str, ...]
    deferred: Deferred[Wording]
    shipped: bool = True

    def runs_on(self, present: Container[str]) -> bool:
        """Whether what it looks at is there: `present` are views, and `logs`."""
        return all(one in present for one in self.requires) and any(view in present for view in self.views)

    @property
    def help_uri(self) -> str:
        """The rule's page; of a user's own rule its first reference."""
        if self.shipped:
            return f"{DOCS}{self.id}.md"
        return next((reference.url for reference in self.wording.references), "")

    @property
    def wording(self) -> Wording:
        """Message, remedies, references, explanation and examples."""
        return self.deferred()


class Symptom(NamedTuple):
    """A trace in logs or answers: any of the literals `contains`, optionally refined by `matches` on the same line.

    `consequence` marks one that follows from whatever went wrong before: a probe fails because nothing listens.
    What other programs write too (`common`) counts only in a log of ours, see relevance. `elsewhere` marks one that a
    container does not write while it starts: the service tells it, the caller gets it, or it takes a request. A
    container's log without it therefore proves nothing.
    """

    id: str
    title: str
    contains: tuple[str, ...]
    matches: str | None
    references: tuple[Reference, ...]
    consequence: bool = False
    common: bool = False
    elsewhere: bool = False


class Tested(NamedTuple):
    """A rule with the truth of its two conditions, and the views to run it on.

    `told` is a rule whose views are not there: it runs only where a log tells of it.
    """

    rule: Rule
    applies: Truth | None
    when: Truth
    views: tuple[str, ...]
    told: bool


class Bench:
    """Rules made ready for many cases. What a case has decides which views each of them runs on."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._truths: list[tuple[Truth | None, Truth]] = []
        self._ready: dict[frozenset[str], tuple[Tested, ...]] = {}

    def ready(self, present: frozenset[str]) -> tuple[Tested, ...]:
        """The rules that can run where `present` are the views, and `logs`."""
        found = self._ready.get(present)
        if found is None:
            found = self._ready[present] = tuple(self._tested(present))
        return found

    def _tested(self, present: frozenset[str]) -> Iterator[Tested]:
        if not self._truths:
            self._truths = [
                (once_asked(rule.applies) if rule.applies is not None else None, once_asked(rule.when))
                for rule in self._rules
            ]
        for rule, (applies, when) in zip(self._rules, self._truths, strict=True):
            if rule.runs_on(present):
                chosen = tuple(view for view in rule.views if view in present)
                # a rule that names every view it looks at speaks of them all at once
                yield Tested(rule, applies, when, chosen[:1] if rule.subject.root == "document" else chosen, told=False)
            elif "logs" in present and (rule.symptoms or quotes_errors(rule)):
                # where none is there, its symptom in a log is enough to make it a suspect
                yield Tested(rule, applies, when, rule.views[:1], told=True)


def quotes_errors(rule: Rule) -> bool:
    """Whether it speaks of errors that no symptom covers."""
    return rule.each is not None and rule.each.root == "document" and rule.each.steps[0].key == "unexplained"


class Catalogue:
    """All rules and symptoms, by id, and the schema of the facts they speak of; the latter two at first use.

    `elsewhere` names rules (category/id) that exist and were left out, for they need more than files.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        schema: Callable[[], FactsSchema],
        symptoms: Callable[[], Mapping[str, Symptom]],
        elsewhere: Sequence[str] = (),
    ) -> None:
        self.rules = rules
        self.elsewhere = elsewhere
        self._schema = schema
        self._symptoms = symptoms
        self._all: Deferred[Bench] = Deferred(lambda: Bench(rules.values()))
        self._some: tuple[tuple[Rule, ...], Bench] | None = None

    def bench(self, rules: Iterable[Rule] | None) -> Bench:
        """These rules, or all, made ready for many cases. Of tuples the last one is kept."""
        if rules is None:
            return self._all()
        if not isinstance(rules, tuple):
            return Bench(rules)
        if self._some is None or self._some[0] is not rules:
            self._some = (rules, Bench(rules))
        return self._some[1]

    @property
    def schema(self) -> FactsSchema:
        return self._schema()

    @property
    def symptoms(self) -> Mapping[str, Symptom]:
        return self._symptoms()

    def with_rules(
        self,
        rules: Mapping[str, Rule],
        symptoms: Mapping[str, Symptom] | None = None,
        elsewhere: Sequence[str] | None = None,
    ) -> Catalogue:
        """The catalogue with other rules, and more symptoms where some are given."""
        left_out = self.elsewhere if elsewhere is None else elsewhere
        if symptoms is None:
            return Catalogue(rules, self._schema, self._symptoms, left_out)
        return Catalogue(rules, self._schema, Deferred(lambda: {**self.symptoms, **symptoms}), left_out)
