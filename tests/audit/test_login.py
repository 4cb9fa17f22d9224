"""A login that ends in the middle of an audit ends it soon, is told, and costs nothing of what was done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.cloud.credentials import Credential
from pfdoctor.cloud.errors import AuthenticationError

pytestmark = pytest.mark.once

COUNT = 12
REFUSED = {"kind": "status", "status": 401, "code": "ExpiredAuthenticationToken", "message": "It expired."}


@pytest.fixture(autouse=True)
def calm(small: Any) -> Iterator[None]:
    small.simulator.requests.clear()
    yield
    small.simulator.clear_faults()


def test_no_token_any_more(
    small: Any,
    tmp_path: Path,
    undisturbed: dict[str, Any],
    compared: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "state.jsonl"
    ask, left = Credential.get_token, iter(range(45))

    async def expiring(self: Credential, *scopes: str, **options: Any) -> Any:
        if next(left, None) is None:
            raise AuthenticationError("the token has expired: run az login")
        return await ask(self, *scopes, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Credential, "get_token", expiring)
        # so short a life makes azure-core ask for a token with every request
        patch.setattr(small.simulator.world.settings, "token_seconds", 100.0)
        with pytest.raises(AuthenticationError):
            small.audit(state=path, concurrency=2)
    assert compared(small.audit(state=path)) == compared(undisturbed)


def test_401_everywhere_ends_it_soon_and_it_goes_on(small: Any, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    state, output = tmp_path / "state.jsonl", tmp_path / "report.json"
    arguments = ("--max-concurrency", "2", "--format", "json", "--output", str(output), "--resume", str(state))
    # what the tenant of the token is, Azure tells only whom it believes
    small.simulator.inject({"path": "^/(subscriptions|tenants)", "nth": list(range(90, 100_000))}, REFUSED)
    ran = small.command(*arguments)
    asked = [one for one in small.simulator.requests if one.status == 401]
    small.simulator.clear_faults()
    assert ran.returncode == 4, ran.stderr
    assert "error: the login has ended: the token was not accepted (401" in ran.stderr
    assert f"go on with: pfdoctor audit {' '.join(arguments)}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(asked) < 120, "it did not ask for everything else, too"
    report = json.loads(output.read_text())
    assert len(report["endpoints"]) == COUNT
    sound = {one["id"] for one in undisturbed["endpoints"] if one["state"] == "healthy"}
    healthy = {one["id"] for one in report["endpoints"] if one["state"] == "healthy"}
    unread = [one for one in report["endpoints"] if one["reason"] is not None]
    assert healthy < sound
    assert unread
    assert all(one["reason"]["detail"].startswith("not read: the login has ended") for one in unread)
    assert report["summary"]["exit_code"] == 4
    assert small.command(*arguments).returncode == 1
    assert len(json.loads(output.read_text())["endpoints"]) == COUNT
    assert json.loads(output.read_text())["run"]["complete"]


def test_401_from_the_beginning_is_no_report(small: Any) -> None:
    small.simulator.inject({"path": "^/(subscriptions|tenants|providers)"}, REFUSED)
    ran = small.command("--format", "json")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "error: the login has ended" in ran.stderr


def test_401_from_one_subscription_is_that_subscriptions(small: Any, undisturbed: dict[str, Any]) -> None:
    """A subscription of another tenant refuses the token; the others do not."""
    first, second = sorted({one["subscription"] for one in undisturbed["endpoints"]})
    small.simulator.inject({"path": f"^/subscriptions/{second}"}, REFUSED)
    report = small.audit()
    states = {one["subscription"]: set[str]() for one in report["endpoints"]}
    for one in report["endpoints"]:
        states[one["subscription"]].add(one["state"])
    assert states == {first: {"findings", "healthy"}, second: {"unknown"}}
    assert sum("/tenants" in one.path for one in small.simulator.requests) < 5
    assert report["summary"]["exit_code"] == 1
