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

WORLDS, PARTS = 100_000, 10


@pytest.mark.parametrize("part", range(PARTS))
def test_no_disagreement_with_brute_force(part: int) -> None:
    rng = random.Random(part)
    seen: Counter[str] = Counter()
    for number in range(WORLDS // PARTS):
        case = worlds.random_world(rng)
        world = World(case.facts["authorization"], case.facts["now"])
        question = Question(case.action, case.data, case.target, worlds.ME)
        found = evaluate(question, world)
        expected = oracle.verdict_of(case)
        seen[expected] += 1
        where = f"world {number} of part {part}: {case.action} at {case.target}\n{json.dumps(case.facts, indent=1)}"
        assert found.verdict == expected, where
        if case.holes:
            continue
        reason = oracle.reason_of(case, expected)
        if expected == "NOT_ALLOWED":
            miss = nearest(question, world, {worlds.CLIENT: CLIENT_ID}, eligible=case.eligible)
            seen[miss.code] += 1
            assert miss.code == reason, where
        elif reason is not None and found.grant is not None:
            seen[reason] += 1
            grant = found.grant
            code = "LENIENT_WILDCARD" if grant.held.lenient else "DIRECT" if grant.direct else "GROUP"
            assert code == reason, where
    # every verdict and nearly every reason has to come up, or the agreement says little
    assert min(seen[one] for one in (*oracle.FAILING, *oracle.WORKING, "UNKNOWN", *oracle.NEAR)) >= 10, seen
