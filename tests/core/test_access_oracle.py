"""The permission proof against brute force (access_oracle.py), on a hundred thousand random worlds."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from tests.core import access_oracle as oracle
from tests.core import access_worlds as worlds

from pfdoctor.core.access.evaluate import Question, evaluate
from pfdoctor.core.access.near import CLIENT_ID, nearest
from pfdoctor.core.access.world import World

pytestmark = pytest.mark.once

WORLDS, PARTS = 100_000, 10


@pytest.mark.parametrize("part", range(PARTS))
def test_no_disagreement_with_brute_force(part: int) -> None:
    rng = random.Random(part)
    seen: Counter[str | None] = Counter()
    for number in range(WORLDS // PARTS):
        case = worlds.random_world(rng)
        found, expected = _proven(case), _brute(case)
        seen.update(expected)
        if found != expected:
            facts = json.dumps(case.facts, indent=1)
            pytest.fail(f"world {number}: {case.action} at {case.target}: {found}, not {expected}\n{facts}")
    # every verdict and nearly every reason has to come up, or the agreement says little
    assert min(seen[one] for one in (*oracle.FAILING, *oracle.WORKING, "UNKNOWN", *oracle.NEAR)) >= 10, seen


def _proven(case: worlds.World) -> tuple[str, str | None]:
    """Verdict and, for a world without holes, reason by the product."""
    world = World(case.facts["authorization"], case.facts["now"])
    question = Question(case.action, case.data, case.target, worlds.ME)
    proof = evaluate(question, world)
    if case.holes:
        return proof.verdict, None
    if proof.verdict == "NOT_ALLOWED":
        return proof.verdict, nearest(question, world, {worlds.CLIENT: CLIENT_ID}, eligible=case.eligible).code
    if proof.verdict in ("ALLOWED", "ALLOWED_PENDING") and proof.grant is not None:
        grant = proof.grant
        return proof.verdict, "LENIENT_WILDCARD" if grant.held.lenient else "DIRECT" if grant.direct else "GROUP"
    return proof.verdict, None


def _brute(case: worlds.World) -> tuple[str, str | None]:
    verdict = oracle.verdict_of(case)
    return verdict, None if case.holes else oracle.reason_of(case, verdict)
