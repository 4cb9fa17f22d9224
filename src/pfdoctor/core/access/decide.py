"""The verdict on one operation with all that a reader wants to know of it: the fields of the fact `access`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pfdoctor.core.access.evaluate import Grant, Proof, Question, evaluate
from pfdoctor.core.access.near import Miss, nearest, unread
from pfdoctor.core.access.propose import Need, propose
from pfdoctor.core.access.reading import text
from pfdoctor.core.access.roles import NONE, Blame
from pfdoctor.core.access.wording import Wording
from pfdoctor.core.access.world import Row, World, role_of
from pfdoctor.core.model import Json, Unknown

WORKING = ("ALLOWED", "ALLOWED_PENDING")
FAILING = ("NOT_ALLOWED", "DENIED", "BLOCKED")


class Subject(NamedTuple):
    """Whose permissions are asked for.

    `who` in words; `others` are principals that are taken for it, in lower case, and what they are (see near.nearest);
    `eligible`: whether the eligible assignments that were read are its own.
    """

    principal_id: str
    who: str
    others: Mapping[str, str]
    eligible: bool


class Decision(NamedTuple):
    """A verdict, its reason code and a sentence, and the objects of the schema's `operation`."""

    verdict: str
    reason: str
    detail: str
    grant: dict[str, Json] | None = None
    near: dict[str, Json] | None = None
    blocked_by: dict[str, Json] | None = None
    proposal: dict[str, Json] | None = None
    missing: tuple[Unknown, ...] = ()
    why_open: Unknown | None = None
    why_unsure: Unknown | None = None
    """Why another reason may be nearer than the one that is told: a list that would have shown it was not read."""
    """Why CONDITIONAL or ALLOWED_PENDING may be less than what holds: it is the least that is sure."""


def decide(question: Question, world: World, subject: Subject) -> Decision:
    """The verdict on the question."""
    proof = evaluate(question, world)
    # only where no assignment grants anything is there a nearest miss; where one may, it is the answer that is open
    lacks = proof.granted_least == NONE
    miss = nearest(question, world, subject.others, eligible=subject.eligible) if lacks else None
    shown = proof.grant if not lacks else None
    words = Wording(question, world, subject.who)
    missing = tuple(dict.fromkeys(blame.reason for blame in proof.blame))
    proposal = propose(Need(question.action, question.data, question.scope)) if lacks else None
    return Decision(
        proof.verdict,
        _reason(proof, miss),
        words.detail(proof, miss),
        _grant(shown, world) if shown is not None else None,
        _near(miss, world) if miss is not None and miss.row is not None else None,
        _blocked_by(proof.by, proof.verdict) if proof.by is not None else None,
        proposal._asdict() if proposal is not None else None,
        missing,
        proof.why_open,
        unread(question, world, miss, eligible=subject.eligible) if miss is not None else None,
    )


def _reason(proof: Proof, miss: Miss | None) -> str:
    match proof.verdict:
        case "DENIED":
            return "DENY_ASSIGNMENT"
        case "BLOCKED":
            return "LOCK"
        case "UNKNOWN":
            return first_blame(proof.blame).code
        case "NOT_ALLOWED":
            return miss.code if miss is not None else "NO_ASSIGNMENT"
        case "CONDITIONAL":
            return "DENY_CONDITION" if proof.by is not None else "CONDITION"
        case _:
            return _how(proof.grant)


def _how(grant: Grant | None) -> str:
    if grant is not None and grant.held.lenient:
        return "LENIENT_WILDCARD"
    return "DIRECT" if grant is None or grant.direct else "GROUP"


def first_blame(blame: tuple[Blame, ...]) -> Blame:
    """What keeps a verdict open, the first of it."""
    return blame[0] if blame else Blame("NOT_COLLECTED", Unknown("not-collected", "not collected"))


def _grant(grant: Grant, world: World) -> dict[str, Json]:
    row = grant.row.fact
    at = [moment for key in ("created_at", "updated_at") if (moment := text(row, key))]
    return {
        "id": text(row, "id"),
        "role": world.role_name(row),
        "role_id": role_of(row),
        "scope": text(row, "scope"),
        "through": "direct" if grant.direct else text(row, "principal_id"),
        "pattern": grant.held.pattern,
        "condition": grant.condition,
        "granted_at": max(at, default=None),
        "age_seconds": int(grant.age.total_seconds()) if grant.age is not None else None,
    }


def _near(miss: Miss, world: World) -> dict[str, Json] | None:
    if miss.row is None:
        return None
    row = miss.row.fact
    return {
        "id": text(row, "id"),
        "role": world.role_name(row),
        "role_id": role_of(row),
        "scope": text(row, "scope"),
        "principal_id": text(row, "principal_id"),
        "principal": miss.principal,
        "pattern": miss.pattern,
    }


def _blocked_by(row: Row, verdict: str) -> dict[str, Json]:
    return {
        "kind": "lock" if verdict == "BLOCKED" else "deny-assignment",
        "id": text(row.fact, "id"),
        "name": text(row.fact, "name"),
        "scope": text(row.fact, "scope"),
    }
