"""Every call of an apply and an undo, struck by every fault: nothing half done unreported, nothing applied twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from tests.azure.conftest import Canned, Patient, as_known, quick

from pfdoctor.apply.run import Applied
from pfdoctor.cli.applied import report, to_json
from pfdoctor.cli.fixing import Doing
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.core.model import PfdoctorError
from pfdoctor.core.plan import Plan, StaleError

pytestmark = pytest.mark.once

ROLE, VERSION = "secret-role-missing-scored", "environment-route-wrong"
RULES = {ROLE: "secrets-flag-without-grant", VERSION: "deployed-route-wrong"}
SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/schema/applied.schema.json").read_text("utf-8"))
FAULTS: dict[str, dict[str, Any]] = {
    "403": {"kind": "status", "status": 403, "code": "AuthorizationFailed", "message": "Not allowed."},
    "409": {"kind": "status", "status": 409, "code": "Conflict", "message": "Something is under way."},
    "412": {"kind": "status", "status": 412, "code": "PreconditionFailed", "message": "The etag is an old one."},
    "429": {"kind": "throttled"},
    "500": {"kind": "status", "status": 500, "code": "InternalServerError", "message": "A bad day."},
    "closed": {"kind": "close"},
    "lost": {"kind": "lost"},
    "timeout": {"kind": "hang"},
    "timeout after it acted": {"kind": "hang-after"},
}
NO_ANSWER = 0.25
"""Seconds to wait for an answer that will not come."""


class Call(NamedTuple):
    """A call of the run that nobody disturbed: the `nth` of its kind."""

    method: str
    path: str
    nth: int

    @property
    def match(self) -> dict[str, Any]:
        return {"method": self.method, "path": rf"^{re.escape(self.path)}(\?|$)", "nth": self.nth}


def recorded(patient: Patient, work: Callable[[], object]) -> list[Call]:
    """The calls of Azure Resource Manager and of the endpoint that the work makes."""
    first = len(patient.simulator.requests)
    work()
    calls: list[Call] = []
    seen: Counter[tuple[str, str]] = Counter()
    for one in patient.simulator.requests[first:]:
        if one.server != "identity" and "/subscriptions/" in one.path:
            seen[one.method, one.path] += 1
            calls.append(Call(one.method, one.path, seen[one.method, one.path]))
    return calls


def writes(patient: Patient, first: int = 0) -> Counter[tuple[str, str]]:
    """What took effect, and how often. (A role under a name that is taken changes nothing: 200, not 201.)"""
    return Counter(
        (one.method, one.path)
        for one in patient.simulator.requests[first:]
        if one.method in {"PUT", "PATCH", "DELETE"}
        and one.done in {200, 201, 202, 204}
        and not (one.method == "PUT" and "roleAssignments" in one.path and one.done == 200)
    )


class Told(NamedTuple):
    """How a run ended, as a person and a program are told."""

    applied: Applied
    code: int
    text: str
    document: dict[str, Any]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[Patient, Plan, Applied], Told]:
    def told(patient: Patient, plan: Plan, applied: Applied) -> Told:
        doing = Doing(patient.root, patient.journal, "name", "pfdoctor apply plan.json")
        capsys.readouterr()
        code = report(applied, plan, doing)
        text = capsys.readouterr().err
        document = to_json(applied, plan, doing)
        jsonschema.validate(document, SCHEMA)
        assert document["exit_code"] == code
        if code:
            assert len(re.findall(r"next: pfdoctor \w+", text)) == 1, text
        for fix in applied.not_begun:
            assert f"not begun: {fix.rule}" in text
        return Told(applied, code, text, document)

    return told


class Sick:
    """A scenario, its plan, and how an apply and an undo of it go when nobody disturbs them."""

    def __init__(self, name: str, hospital: Callable[..., Patient]) -> None:
        self.name, self._hospital = name, hospital
        patient = self.new()
        self.plan = patient.plan(RULES[name])
        self.untouched = as_known(patient.state())
        self.canned = Canned(patient)
        self.canned.recover(self.plan)
        patient = self.new()
        self.calls = recorded(patient, lambda: self.canned.of(patient).apply(self.plan))
        self.healed, self.once = as_known(patient.state()), writes(patient)
        self.undo_calls = recorded(patient, patient.undo)
        assert as_known(patient.state()) == self.untouched

    def new(self) -> Patient:
        patient = self._hospital(self.name, quick)
        for file in patient.root.glob("plan.json.*"):
            file.unlink()
        return patient


@pytest.fixture(params=[ROLE, VERSION])
def sick(request: pytest.FixtureRequest, hospital: Callable[..., Patient]) -> Sick:
    return Sick(request.param, hospital)


def every_other(calls: list[Call], kind: str) -> list[Call]:
    """Half of the calls for one kind of fault, the other half for the next: each call meets half of the kinds."""
    return calls[list(FAULTS).index(kind) % 2 :: 2]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_any_call_of_the_steps(sick: Sick, kind: str, tell: Callable[..., Told]) -> None:
    assert len(sick.calls) >= 4
    for call in sick.calls if sick.name == ROLE else every_other(sick.calls, kind):
        patient = sick.new()
        canned = sick.canned.of(patient)
        patient.limits = patient.limits._replace(read=NO_ANSWER) if "timeout" in kind else patient.limits
        rule = patient.simulator.inject(call.match, FAULTS[kind])
        stale = ""
        told: Told | None = None
        try:
            told = tell(patient, sick.plan, canned.apply(sick.plan))
        except StaleError as error:
            stale = str(error)
        if told is None:
            assert "nothing was changed" in stale
            assert as_known(patient.state()) == sick.untouched, call
            assert not writes(patient)
        else:
            now = as_known(patient.state())
            states = {one["state"] for one in told.document["steps"]}
            if told.code == 0:
                assert now == sick.healed, call
                assert states == {"done"}
            else:
                # whatever is not as it was is told, step by step
                assert told.applied.failure is not None
                assert told.applied.left or now == sick.untouched, (call, told.text)
                assert told.applied.left or states <= {"undone", "not-begun"}, (call, told.document["steps"])
        assert rule.hits == 1, call
        patient.simulator.clear_faults()
        patient.limits = patient.limits._replace(read=30.0)
        if not told or "undone" not in {one["state"] for one in told.document["steps"]}:
            assert set(writes(patient).values()) <= {1}, (call, writes(patient))
        again = tell(patient, sick.plan, canned.apply(sick.plan))
        assert again.code == 0, (call, again.text)
        assert as_known(patient.state()) == sick.healed, call
        assert not patient.undo().left, call
        assert as_known(patient.state()) == sick.untouched, call
        assert not patient.journal.with_name(patient.journal.name + ".undo").exists()


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_any_call_of_an_undo(sick: Sick, kind: str) -> None:
    for call in sick.undo_calls if sick.name == ROLE else every_other(sick.undo_calls, kind):
        patient = sick.new()
        assert sick.canned.of(patient).apply(sick.plan).failure is None
        first = len(patient.simulator.requests)
        patient.limits = patient.limits._replace(read=NO_ANSWER) if "timeout" in kind else patient.limits
        rule = patient.simulator.inject(call.match, FAULTS[kind])
        undone = patient.undo()
        assert rule.hits == 1, call
        patient.simulator.clear_faults()
        patient.limits = patient.limits._replace(read=30.0)
        beside = patient.journal.with_name(patient.journal.name + ".undo")
        # what is not back is told, and what is needed for another time is kept
        assert beside.exists() == bool(undone.left), call
        assert undone.left or as_known(patient.state()) == sick.untouched, (call, undone)
        again = patient.undo()
        assert not again.left, (call, again)
        assert sorted((*undone.steps, *again.steps)) == [step.id for step in sick.plan.steps]
        assert as_known(patient.state()) == sick.untouched, call
        assert set(writes(patient, first).values()) == {1}, (call, writes(patient, first))


def looks(sick: Sick, patient: Patient) -> tuple[list[Call], list[Call]]:
    """The reads of the real collector in an apply, one for each address: before the first write, and after the last."""
    calls = recorded(patient, lambda: patient.apply(sick.plan))
    changed = [number for number, call in enumerate(calls) if (call.method, call.path) in sick.once]
    before = {call.path: call for call in calls[: changed[0]]}
    after = {call.path: call for call in calls[changed[-1] + 1 :]}
    return list(before.values()), list(after.values())


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_cannot_look_claims_nothing(sick: Sick, when: str, tell: Callable[..., Told]) -> None:
    """An address that from one read on is refused, broken or silent for good: before anything changed, or after."""
    calls = looks(sick, sick.new())[when == "after"]
    kinds = [FAULTS[kind] for kind in ("403", "500", "closed")]
    ends: Counter[str] = Counter()
    # a fault before anything changed does the least harm, and roles lean on the most reads
    stride = 3 if when == "before" else 1 if sick.name == ROLE else 2
    for number, call in enumerate(calls[::stride]):
        patient = sick.new()
        patient.longest_wait = 0
        match = {**call.match, "nth": range(call.nth, call.nth + 200)}
        rule = patient.simulator.inject(match, kinds[number % len(kinds)])
        try:
            told = tell(patient, sick.plan, patient.apply(sick.plan))
        except PfdoctorError:
            # it could not even be begun
            assert when == "before"
            assert not writes(patient)
            continue
        assert rule.hits, call
        (fix,) = told.document["fixes"]
        ends[fix["state"]] += 1
        assert (fix["state"] in {"effective", "unverified"}) == (told.code == 0), (call, told.text)
        if fix["state"] == "failed":
            # the step itself could not look: whether it took effect is for the undo to find out
            assert told.applied.left or as_known(patient.state()) == sick.untouched, (call, told.text)
        else:
            # what was done is good: that somebody is blind is no reason to take it back
            assert as_known(patient.state()) == sick.healed, (call, told.text)
        if told.code:
            patient.simulator.clear_faults()
            patient.longest_wait = 1200.0
            again = tell(patient, sick.plan, patient.apply(sick.plan))
            assert again.code == 0, (call, again.text)
            assert as_known(patient.state()) == sick.healed, call
            assert fix["state"] == "failed" or writes(patient) == sick.once, call
    if when == "after":
        assert ends["effective"] > 15
        assert ends["applied"] + ends["not-yet-effective"] >= (sick.name == ROLE), ends


def test_a_login_that_ends_in_between_is_told(hospital: Callable[..., Patient], tell: Callable[..., Told]) -> None:
    """Every step and every look takes a fresh token: without one, the run stops and says what it did."""
    sick = Sick(VERSION, hospital)
    patient = sick.new()
    undisturbed = sum(one.server == "identity" for one in patient.simulator.requests)
    sick.canned.of(patient).apply(sick.plan)
    tokens = sum(one.server == "identity" for one in patient.simulator.requests) - undisturbed
    assert tokens > len(sick.plan.steps)
    for nth in range(1, tokens + 1):
        patient = sick.new()
        match = {"path": "/msi/", "nth": range(nth, nth + 50)}
        patient.simulator.inject(match, {"kind": "status", "status": 400, "code": "invalid_request"})
        try:
            told = tell(patient, sick.plan, sick.canned.of(patient).apply(sick.plan))
        except AuthenticationError:
            assert not writes(patient)
        else:
            assert told.code == 7
            assert told.applied.left or as_known(patient.state()) == sick.untouched
        patient.simulator.clear_faults()
        assert tell(patient, sick.plan, sick.canned.of(patient).apply(sick.plan)).code == 0
        assert as_known(patient.state()) == sick.healed
        assert writes(patient) == sick.once
