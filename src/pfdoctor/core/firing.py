"""Where a rule's cause is true, and the identity of what it says there: shared by diagnosing, planning and examples."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core import message as messages
from pfdoctor.core.condition import Scope, evaluate
from pfdoctor.core.facts import Facts, join, members
from pfdoctor.core.model import Unknown
from pfdoctor.core.rule import Rule


def firing(rule: Rule, facts: Facts) -> Iterator[Scope]:
    """The scopes (one an item, for `each`) in which the rule's cause is true."""
    for view in rule.views:
        if facts.has_view(view):
            yield from _firing_in(rule, Scope(facts, view))


def _firing_in(rule: Rule, scope: Scope) -> Iterator[Scope]:
    if rule.applies is not None and evaluate(rule.applies, scope).truth is not True:
        return
    if rule.each is None:
        if evaluate(rule.when, scope).truth is True:
            yield scope
        return
    found = scope.look_up(rule.each)
    if isinstance(found.value, Unknown):
        return
    for key, element in members(found.value)[0]:
        inner = scope.bind(join(found.path, key), element)
        if evaluate(rule.when, inner).truth is True:
            yield inner


def subject_of(rule: Rule, scope: Scope) -> str:
    """What the finding is about, in words that survive moving lines: the kind of thing, its file and its name."""
    found = scope.look_up(rule.subject)
    kind = rule.subject.text.rpartition(".")[2]
    value = found.value if isinstance(found.value, dict) else {}
    parts = [value.get("id")] if value.get("id") else [value.get("file") or value.get("path"), value.get("name")]
    named = [part for part in parts if isinstance(part, str)]
    return " ".join([kind, *(named or [scope.facts.case["name"]])])


def identity(rule: Rule, scope: Scope) -> str:
    """The fingerprint of what the rule says in this scope."""
    key = messages.render(rule.key, rule.wording.texts, scope) if rule.key is not None else ""
    return fingerprint(rule.id, subject_of(rule, scope), key)


def fingerprint(rule: str, subject: str, key: str) -> str:
    """The identity of a finding: stable while the rule, the subject's names and the item's key stay the same."""
    # imported here: OpenSSL is loaded with it, and a flow without a fault needs no fingerprint
    import hashlib

    return hashlib.sha256(f"{rule}\n{subject}\n{key}".encode(errors="backslashreplace")).hexdigest()[:32]
