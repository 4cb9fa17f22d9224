"""Which rules run: `--select`, `--ignore`, `--extend-select`, and the least severity and confidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from pfdoctor.core.condition import did_you_mean
from pfdoctor.core.model import Confidence, PfdoctorError, Severity
from pfdoctor.core.rule import Catalogue, Rule

_GLOB = frozenset("*?[")


class Selection(NamedTuple):
    """Patterns are ids (`node-cycle`), ids with their category, or globs over either (`deployment/*`)."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend: tuple[str, ...] = ()
    severity: Severity = Severity.INFO
    confidence: Confidence = Confidence.POSSIBLE


def choose(catalogue: Catalogue, selection: Selection) -> tuple[Rule, ...]:
    """The rules to run, by id. What is ignored stays out even if it is selected, too."""
    chosen = _matching(catalogue, selection.select) if selection.select else set(catalogue.rules)
    chosen |= _matching(catalogue, selection.extend)
    chosen -= _matching(catalogue, selection.ignore)
    return tuple(
        rule
        for rule_id, rule in sorted(catalogue.rules.items())
        if rule_id in chosen
        and rule.severity.rank >= selection.severity.rank
        and rule.confidence.rank >= selection.confidence.rank
    )


def _matching(catalogue: Catalogue, patterns: Iterable[str]) -> set[str]:
    return {rule.id for pattern in patterns for rule in find(catalogue, pattern)}


def find(catalogue: Catalogue, pattern: str) -> list[Rule]:
    """The rules that a pattern means; raises PfdoctorError, with the nearest name, when it means none."""
    if _GLOB.isdisjoint(pattern):
        rule = catalogue.rules.get(pattern.rpartition("/")[2])
        found = [rule] if rule is not None and pattern in (rule.id, f"{rule.category}/{rule.id}") else []
    else:
        found = [
            rule
            for rule in catalogue.rules.values()
            if fnmatchcase(rule.id, pattern) or fnmatchcase(f"{rule.category}/{rule.id}", pattern)
        ]
    if not found and _names(catalogue.elsewhere, pattern):
        raise PfdoctorError(f"{pattern} needs more than files: run it by pfdoctor diagnose, with --endpoint or --log")
    if not found:
        raise PfdoctorError(f"there is no rule {pattern!r}{_hint(catalogue, pattern)}")
    return found


def _names(rules: Iterable[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[2], pattern) for name in rules)


def _hint(catalogue: Catalogue, pattern: str) -> str:
    categories = {rule.category for rule in catalogue.rules.values()}
    if pattern in categories:
        return f"; did you mean '{pattern}/*'?"
    names: Sequence[str] = [*catalogue.rules, *(f"{category}/*" for category in sorted(categories))]
    return did_you_mean(pattern, names) or did_you_mean(pattern.rpartition("/")[2], names)


def split(values: Iterable[str] | None) -> tuple[str, ...]:
    """The patterns of a repeatable option, each of which may hold several between commas."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())
