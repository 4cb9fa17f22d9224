"""An audit: what there is, then every endpoint of it, and none is lost."""

from __future__ import annotations

from pfdoctor.audit.fleet import Endpoint, Shard
from pfdoctor.audit.how import How
from pfdoctor.audit.inventory import take_inventory
from pfdoctor.audit.login import UNAUTHENTICATED, Login
from pfdoctor.audit.scope import Scope
from pfdoctor.audit.state import State
from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Credential
from pfdoctor.cloud.pacing import PacingPolicy
from pfdoctor.cloud.pipeline import arm_pipeline
from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.shared import Shared

_ROOM = 5000
"""Readings that are kept for other endpoints: those of some hundred workspaces, and some 40 MB."""


async def audit(
    scope: Scope, shard: Shard | None, state: State, cloud: Cloud, credential: Credential, how: How
) -> None:
    """Looks at every endpoint of the scope that has no entry in the state yet, and writes its entry there.

    Raises AuthenticationError where nobody is logged in, or no longer, and NoInputError where a named scope is none.
    What was done by then is in the state.
    """
    begun = how.limits.clock()
    # without a login there is nothing to begin
    await credential.caller(cloud.arm_scope)
    pacing = PacingPolicy(how.limits.sleep, how.limits.clock)
    pipeline = arm_pipeline(
        cloud, credential, how.environment, how.limits._replace(connections=how.concurrency), pacing=pacing
    )
    shared = Shared(_ROOM, state.keep)
    state.fill(shared)
    try:
        async with pipeline:
            reader = Reader(pipeline, cloud, how.limits.request, how.now)
            login = Login(cloud, credential, lambda: Reader(pipeline, cloud, how.limits.request, how.now), how.limits)
            if state.inventory is None or state.inventory.problems:
                inventory = await take_inventory(reader, scope)
                if any(one.problem == UNAUTHENTICATED for one in inventory.problems):
                    await login.check()
                state.set_inventory(inventory)
            else:
                # what an earlier run read does not tell the time; what every login may read does
                await reader.list("/tenants", "2022-12-01")
            await reader.close()
            # a reader of its own: what the inventory was made of need not be kept
            reader = reader.another()
            from pfdoctor.audit.look import Looking

            try:
                await Looking(state, reader, shared, login, how).run(meant(state, shard))
            finally:
                await shared.close()
    finally:
        state.close_session(pacing.sent, pacing.throttled, round(how.limits.clock() - begun, 3))


def meant(state: State, shard: Shard | None) -> list[Endpoint]:
    """The endpoints of the inventory that belong to the shard."""
    endpoints = state.inventory.endpoints if state.inventory is not None else ()
    return [one for one in endpoints if shard is None or shard.holds(one)]
