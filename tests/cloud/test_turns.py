"""Who goes first where many wait, and what needs no waiting at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.policies import AsyncHTTPPolicy

from pfdoctor.cloud.at_hand import AtHand, made_of, together
from pfdoctor.cloud.pacing import FIRST, TurnPolicy


class _Answer(AsyncHTTPPolicy[Any, Any]):
    """Answers when it is told to, and keeps who is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.under_way = 0
        self.most = 0
        self.gate = asyncio.Event()

    async def send(self, request: PipelineRequest[Any]) -> Any:
        assert FIRST not in request.context.options, "the transport does not know it"
        self.begun.append(request.http_request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1


def _request(name: str, *, first: bool = False) -> PipelineRequest[Any]:
    return PipelineRequest(name, PipelineContext(None, **{FIRST: first}))


async def _begun(policy: TurnPolicy, *requests: PipelineRequest[Any]) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(policy.send(one)) for one in requests]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def _policy(at_once: int) -> tuple[TurnPolicy, _Answer]:
    policy, answer = TurnPolicy(at_once), _Answer()
    policy.next = answer
    return policy, answer


def test_what_many_wait_for_goes_before_what_waits_longer() -> None:
    async def run() -> tuple[list[str], int]:
        policy, answer = _policy(2)
        names = [_request(one) for one in ("a", "b", "c", "d")] + [_request(one, first=True) for one in ("E", "F")]
        tasks = await _begun(policy, *names)
        answer.gate.set()
        await asyncio.gather(*tasks)
        return answer.begun, answer.most

    begun, most = asyncio.run(run())
    assert begun == ["a", "b", "E", "F", "c", "d"]
    assert most == 2


def test_what_is_tried_again_goes_first_again() -> None:
    async def run() -> list[str]:
        policy, answer = _policy(1)
        answer.gate.set()
        urgent = _request("A", first=True)
        await policy.send(urgent)
        answer.gate.clear()
        tasks = await _begun(policy, _request("b"), _request("c"), urgent)
        answer.gate.set()
        await asyncio.gather(*tasks)
        return answer.begun

    assert asyncio.run(run()) == ["A", "b", "A", "c"]


@pytest.mark.parametrize("given", [False, True], ids=["while it waits", "as its turn comes"])
def test_who_is_cancelled_keeps_no_turn(given: bool) -> None:
    async def run() -> list[str]:
        policy, answer = _policy(1)
        first, second, third = await _begun(policy, *map(_request, ("a", "b", "c")))
        if given:
            # ends, and gives its turn to the second, which does not come to take it
            first.cancel()
            await asyncio.sleep(0)
        second.cancel()
        answer.gate.set()
        await asyncio.wait({first, second, third}, timeout=5)
        assert third.done()
        await asyncio.gather(*(await _begun(policy, _request("d"))))
        return answer.begun

    begun = asyncio.run(run())
    assert [one for one in begun if one != "b"] == ["a", "c", "d"]


def test_what_is_at_hand_waits_for_nothing() -> None:
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def run() -> list[int]:
        at_hand: AtHand[int] = AtHand(1)
        before = len(asyncio.all_tasks())
        alone = together(at_hand, AtHand(2)).send
        with pytest.raises(StopIteration) as ended:  # no turn of the loop
            alone(None)
        assert ended.value.value == [1, 2]
        assert len(asyncio.all_tasks()) == before
        assert await at_hand == await at_hand == 1
        assert isinstance(made_of([at_hand, AtHand(2)], max), AtHand)
        assert await made_of([at_hand, later(5)], max) == 5
        return await together(later(3), at_hand, later(4))

    assert asyncio.run(run()) == [3, 1, 4]
