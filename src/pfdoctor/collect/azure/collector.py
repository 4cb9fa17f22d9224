"""Collects the facts of an endpoint's deployments: everything at once, in as few round trips as can be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Caller, Credential
from pfdoctor.cloud.pipeline import Limits, arm_pipeline, endpoint_pipeline
from pfdoctor.cloud.reader import Now, Reader, utc_now
from pfdoctor.collect.azure.assets import read_environment, read_model
from pfdoctor.collect.azure.authorization import Principals, read_authorization
from pfdoctor.collect.azure.body import Body, unread
from pfdoctor.collect.azure.connections import read_connections
from pfdoctor.collect.azure.datastores import read_datastores
from pfdoctor.collect.azure.deployment import asset_of, read_deployment
from pfdoctor.collect.azure.endpoint import read_endpoint
from pfdoctor.collect.azure.found import Found, find
from pfdoctor.collect.azure.identity import read_identity
from pfdoctor.collect.azure.logs import read_logs
from pfdoctor.collect.azure.metrics import read_metrics
from pfdoctor.collect.azure.probe import NOT_ASKED, Address, Prober, endpoint_key, key_action
from pfdoctor.collect.azure.quota import read_providers, read_quota
from pfdoctor.collect.azure.scopes import scopes_of
from pfdoctor.collect.azure.target import Target
from pfdoctor.collect.azure.workspace import read_connection_workspace, read_workspace
from pfdoctor.collect.settle import settle
from pfdoctor.core.facts import SCHEMA_NAME, Facts
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.rule import Symptom

Progress = Callable[[str], None]
"""Told in a few words what is being read."""


class Collection(NamedTuple):
    """How to collect. `environment` holds the variables that name proxies and certificates; `score` is a body."""

    deployment: str | None = None
    probe: bool = False
    score: bytes | None = None
    symptoms: Mapping[str, Symptom] = {}
    progress: Progress = lambda _: None
    environment: Mapping[str, str] = os.environ
    limits: Limits = Limits()
    now: Now = utc_now


def collect_now(target: Target, cloud: Cloud, make: Callable[[], Credential], how: Collection) -> list[Facts]:
    """The same without a running event loop. `make` gives the credential, which is closed in the end.

    Ctrl-C raises KeyboardInterrupt as soon as what is under way is cancelled.
    """

    async def run() -> list[Facts]:
        async with make() as credential:
            return await collect(target, cloud, credential, how)

    return asyncio.run(run())


async def collect(target: Target, cloud: Cloud, credential: Credential, how: Collection) -> list[Facts]:
    """The facts of each deployment of the endpoint; of an endpoint without any, one case without a deployment.

    Raises AuthenticationError where nobody is logged in or the login sees nothing of the subscription, and NoInputError
    where there is no such endpoint or deployment.
    """
    caller = await credential.caller(cloud.arm_scope)
    pipeline = arm_pipeline(cloud, credential, how.environment, how.limits)
    async with pipeline:
        reader = Reader(pipeline, cloud, how.limits.request, how.now)
        try:
            return await _Run(reader, target, cloud, credential, how).collect(caller)
        finally:
            await reader.close()


class _Run:
    """One collection."""

    def __init__(self, reader: Reader, target: Target, cloud: Cloud, credential: Credential, how: Collection) -> None:
        self._reader = reader
        self._target = target
        self._cloud = cloud
        self._credential = credential
        self._how = how
        self._now = how.now()

    async def collect(self, caller: Caller) -> list[Facts]:
        reader, target = self._reader, self._target
        self._how.progress(f"reading {target.endpoint} in {target.workspace}")
        # what depends on nothing is asked for while the endpoint is being looked for
        shared = _begin(
            workspace=read_workspace(reader, target.workspace_id),
            datastores=read_datastores(reader, target.workspace_id),
            providers=read_providers(reader, target.subscription),
        )
        try:
            found = await find(reader, target, self._how.deployment)
            names: list[str | None] = [*found.chosen] or [None]
            cases = await asyncio.gather(*(self._case(found, name, caller, shared) for name in names))
        finally:
            await _end(shared)
        return list(cases)

    async def _case(
        self, found: Found, name: str | None, caller: Caller, shared: dict[str, asyncio.Task[Json]]
    ) -> Facts:
        target = self._target
        endpoint = read_endpoint(found.endpoint, found.deployments)
        deployment = self._deployment(found, name, endpoint)
        identifier = f"{target.id}/deployments/{name}" if name is not None else target.id
        self._how.progress(f"reading the deployment {name}" if name is not None else "no deployment to read")
        own = _begin(
            logs=self._logs(identifier, deployment) if name is not None else _value([]),
            metrics=self._metrics(identifier, name),
            data_plane=self._data_plane(endpoint, name),
        )
        try:
            view = await self._view(found, endpoint, deployment, caller, shared)
            parts = {key: await task for key, task in own.items()}
        finally:
            await _end(own)
        logs = parts.pop("logs")
        live, origins = settle({**view, **parts})
        title = f"{target.endpoint}/{name}" if name is not None else target.endpoint
        return Facts(
            {
                "schema": SCHEMA_NAME,
                "case": {
                    "name": title,
                    "kind": "deployment" if name is not None else "endpoint",
                    "file": None,
                    "id": identifier,
                },
                "live": live,
                "logs": logs,
                "clock": {"now": self._now},
                "origins": {"live": origins},
                "excerpts": {},
                "joins": [],
            }
        )

    def _deployment(self, found: Found, name: str | None, endpoint: Json) -> Json:
        traffic = endpoint.get("traffic", endpoint)
        if name is None:
            return unread(found.deployments, "the deployment") if found.deployments.unknown is not None else None
        reading = found.chosen[name]
        if reading.body is None:
            return unread(reading, f"the deployment {name}")
        return read_deployment(reading.body, reading.source, self._target.endpoint, traffic)

    async def _view(
        self, found: Found, endpoint: Json, deployment: Json, caller: Caller, shared: dict[str, asyncio.Task[Json]]
    ) -> dict[str, Json]:
        reader = self._reader
        variables = _of(deployment, "environment_variables")
        raw = self._raw(found, deployment)
        location = _first(_of(deployment, "location"), _of(endpoint, "location"))
        identity, connected, environment, model, quota = await asyncio.gather(
            read_identity(reader, found.endpoint, variables),
            self._connected(variables),
            self._asset(read_environment, deployment, "environment", raw.raw("environmentId")),
            self._asset(read_model, deployment, "model", raw.raw("model")),
            read_quota(
                reader,
                self._target.subscription,
                location,
                _of(deployment, "instance_type"),
                _of(deployment, "instance_count"),
            ),
        )
        view: dict[str, Json] = {
            "deployment": deployment,
            "endpoint": endpoint,
            "environment": environment,
            "model": model,
            "connections": connected[1],
            "connection_workspace": connected[0],
            "identity": identity,
            "caller": caller._asdict(),
            "quota": quota,
        }
        view |= {key: await task for key, task in shared.items()}
        self._how.progress("reading role assignments")
        principals = _principals(view, caller)
        view["authorization"] = await read_authorization(reader, scopes_of(view), principals, self._target.subscription)
        return view

    @staticmethod
    def _raw(found: Found, deployment: Json) -> Body:
        name = _of(deployment, "name")
        reading = found.chosen.get(name) if isinstance(name, str) else None
        return Body(reading.body if reading is not None else None).child("properties")

    async def _connected(self, variables: Json) -> tuple[Json, Json]:
        """The workspace that the serving app reads connections from, and those."""
        one = await read_connection_workspace(self._reader, variables, self._target.workspace_id)
        return one, await read_connections(self._reader, _of(one, "id"))

    async def _asset(
        self, read: Callable[..., Coroutine[Any, Any, Json]], deployment: Json, what: str, identifier: Json
    ) -> Json:
        named = _of(deployment, what)
        if named is None or "$unknown" in named:
            return named
        return await read(self._reader, self._target.workspace_id, named, asset_of(identifier))

    async def _metrics(self, deployment: str, name: str | None) -> Json:
        return await read_metrics(self._reader, deployment, self._now) if name is not None else None

    async def _logs(self, identifier: str, deployment: Json) -> Json:
        return await read_logs(self._reader, identifier, self._how.symptoms, _of(deployment, "updated_at"))

    async def _data_plane(self, endpoint: Json, name: str | None) -> Json:
        if not self._how.probe:
            return NOT_ASKED.to_json()
        uri = _of(endpoint, "scoring_uri")
        address = Address.of(uri)
        if name is None or address is None:
            detail = f"the endpoint's scoring URI is {uri!r}" if name is not None else "there is no deployment to call"
            return uri if isinstance(uri, dict) else Unknown("no-address", detail).to_json()
        self._how.progress(f"calling {address.host}")
        key = await self._key(_of(endpoint, "auth_mode"))
        posts = (f"{address.path}/score",) if self._how.score is not None else ()
        pipeline = endpoint_pipeline(address.host, self._how.environment, self._how.limits, posts)
        async with pipeline:
            return await Prober(pipeline, address, self._how.now).probe(name, key, self._how.score)

    async def _key(self, auth_mode: Json) -> str | Unknown:
        """What authorises calls, through a pipeline of its own: no other may send the POST that obtains it."""
        action = key_action(auth_mode)
        posts = (f"{self._target.id}/{action}",) if action is not None else ()
        pipeline = arm_pipeline(self._cloud, self._credential, self._how.environment, self._how.limits, posts)
        async with pipeline:
            reader = Reader(pipeline, self._cloud, self._how.limits.request, self._how.now)
            try:
                login = self._credential.get_token
                return await endpoint_key(reader, self._target.id, auth_mode, lambda: login(self._cloud.ml_scope))
            finally:
                await reader.close()


def _begin(**coroutines: Coroutine[Any, Any, Json]) -> dict[str, asyncio.Task[Json]]:
    return {name: asyncio.ensure_future(one) for name, one in coroutines.items()}


async def _end(tasks: dict[str, asyncio.Task[Json]]) -> None:
    """Ends what is still running, and looks at how it ended, so that nothing is left behind."""
    for task in tasks.values():
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _value(value: Json) -> Json:
    return value


def _of(facts: Json, key: str) -> Json:
    """A fact of a section; where the section itself is unknown or null, that."""
    return facts if facts is None or "$unknown" in facts else facts.get(key)


def _first(*values: Json) -> Json:
    return next((one for one in values if isinstance(one, str)), values[0])


def _principals(view: dict[str, Json], caller: Caller) -> Principals:
    endpoint = _of(view["identity"], "principal_id")
    seen = (endpoint, caller.principal_id, _of(view["workspace"], "principal_id"))
    known = frozenset(one.lower() for one in seen if isinstance(one, str))
    return Principals(endpoint, caller.principal_id, known)
