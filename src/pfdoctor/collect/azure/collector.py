"""Collects the facts of an endpoint's deployments: everything at once, in as few round trips as can be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from pfdoctor.cloud.at_hand import AtHand, together
from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Caller, Credential
from pfdoctor.cloud.pipeline import Limits, arm_pipeline, endpoint_pipeline
from pfdoctor.cloud.reader import Now, Reader, utc_now
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure.assets import read_environment, read_model
from pfdoctor.collect.azure.authorization import Principals, read_authorization
from pfdoctor.collect.azure.body import Body, unread
from pfdoctor.collect.azure.connections import read_connections
from pfdoctor.collect.azure.datastores import read_datastores
from pfdoctor.collect.azure.deployment import asset_of, read_deployment, read_provisioning_error
from pfdoctor.collect.azure.endpoint import read_endpoint
from pfdoctor.collect.azure.found import Found, find
from pfdoctor.collect.azure.identity import read_identity, told_principal
from pfdoctor.collect.azure.logs import LogText, read_answers, read_logs
from pfdoctor.collect.azure.metrics import read_metrics
from pfdoctor.collect.azure.once import once
from pfdoctor.collect.azure.planned import NAME as PLANNED
from pfdoctor.collect.azure.planned import planned, planned_identity
from pfdoctor.collect.azure.probe import Address, Prober, endpoint_key, key_action, not_asked
from pfdoctor.collect.azure.quota import read_providers, read_quota
from pfdoctor.collect.azure.scopes import likely_scopes, needed_scopes
from pfdoctor.collect.azure.target import Target
from pfdoctor.collect.azure.tasks import begin, end
from pfdoctor.collect.azure.workspace import connection_workspace_of, read_connection_workspace, read_workspace
from pfdoctor.collect.kept import keep
from pfdoctor.collect.settle import settle
from pfdoctor.core.facts import SCHEMA_NAME, Facts
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.rule import Symptom

NOT_ASKED = Unknown("not-asked", "the metrics were not asked for")

Progress = Callable[[str], None]
"""Told in a few words what is being read."""


class Collection(NamedTuple):
    """How to collect: `probe` calls the endpoint, too, and `score` is the body of one request to /score.

    `symptoms` are looked for in the logs; `environment` holds the variables that name certificates. `declared` is the
    view of the same case that files gave: what the flow's tools need tells which permissions have to be read. With
    `planned` an endpoint or deployment that does not exist is no mistake: what it will lean on is read all the same.

    `brief` leaves unread what costs a request for every endpoint and only matters where something is wrong: groups
    that the identity is in, its roles elsewhere and those it may activate, and all but the end of one log. Without
    `metrics`, Azure Monitor is not asked. `now` is the machine's time; Azure's answers come first.
    """

    deployment: str | None = None
    probe: bool = False
    score: bytes | None = None
    symptoms: Mapping[str, Symptom] = {}
    declared: Json = None
    planned: bool = False
    brief: bool = False
    metrics: bool = True
    progress: Progress = lambda _: None
    environment: Mapping[str, str] = os.environ
    limits: Limits = Limits()
    now: Now = utc_now


class Collected(NamedTuple):
    """The facts of a deployment but for `logs`, which are there as they were answered.

    To look through them takes long beside all else: whoever has other processes has one of them do it.
    """

    facts: Facts
    logs: list[LogText]

    def read(self, symptoms: Mapping[str, Symptom]) -> Facts:
        """All facts."""
        return self.facts.with_document(logs=[one.read(symptoms) for one in self.logs])


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
            collected = await collect_through(reader, target, caller, how, (cloud, credential))
            return [one.read(how.symptoms) for one in collected]
        finally:
            await reader.close()


async def collect_through(
    reader: Reader, target: Target, caller: Caller | Unknown, how: Collection, login: tuple[Cloud, Credential]
) -> list[Collected]:
    """The same through a reader that whoever calls closes, with logs still to be read. Raises what `collect` raises.

    The caller is taken for the person who deploys; where they are unknown, nothing is asked about their roles.
    """
    return await _Run(reader, target, *login, how).collect(caller)


class _Run:
    """One collection."""

    def __init__(self, reader: Reader, target: Target, cloud: Cloud, credential: Credential, how: Collection) -> None:
        self._reader = reader
        self._target = target
        self._cloud = cloud
        self._credential = credential
        self._how = how

    async def collect(self, caller: Caller | Unknown) -> list[Collected]:
        reader, target = self._reader, self._target
        self._how.progress(f"reading {target.endpoint} in {target.workspace}")
        # what depends on nothing is asked for while the endpoint is being looked for
        workspace, subscription = target.workspace_id, target.subscription
        shared = begin(
            workspace=once(reader, ("workspace", workspace), lambda one: read_workspace(one, workspace)),
            datastores=once(reader, ("datastores", workspace), lambda one: read_datastores(one, workspace)),
            providers=once(reader, ("providers", subscription), lambda one: read_providers(one, subscription)),
            connections=once(reader, ("connections", repr(workspace)), lambda one: read_connections(one, workspace)),
        )
        cases: list[asyncio.Task[Collected]] = []
        try:
            found = await find(reader, target, self._how.deployment, planned=self._how.planned)
            names: list[str | None] = [*found.chosen] or [None]
            endpoint = read_endpoint(found.endpoint, found.deployments)
            if self._how.probe:
                shared |= begin(key=self._key(_of(endpoint, "auth_mode")))
            cases = [asyncio.ensure_future(self._case(found, name, caller, shared)) for name in names]
            return [await one for one in cases]
        finally:
            await end([*shared.values(), *cases])

    async def _case(
        self, found: Found, name: str | None, caller: Caller | Unknown, shared: dict[str, Awaitable[Json]]
    ) -> Collected:
        target = self._target
        is_planned = name is None and self._how.planned
        exists = not found.endpoint.is_missing
        if is_planned:
            found = planned(self._how.declared, found, target, Body(found.workspace.body).text("location"))
        endpoint = read_endpoint(found.endpoint, found.deployments)
        deployment = self._deployment(found, PLANNED if is_planned else name, endpoint)
        identifier = f"{target.id}/deployments/{name}" if name is not None else target.id
        self._how.progress(f"reading the deployment {name}" if name is not None else "no deployment to read")
        failed = deployment is not None and _of(deployment, "provisioning_error") is None
        own = begin(
            error=self._error(found.chosen[name]) if name is not None and failed else AtHand(None),
            logs=self._logs(identifier, deployment) if name is not None else AtHand([]),
            metrics=self._metrics(identifier, name, found),
        )
        try:
            view = await self._view(found, endpoint, deployment, caller, shared)
            if is_planned:
                # what they lean on was read; they themselves are not there
                view["deployment"] = None
                if not exists:
                    view |= {"endpoint": None, "identity": planned_identity(view["identity"])}
            parts = {key: await task for key, task in own.items()}
            error = parts.pop("error")
            if error is not None:
                view["deployment"] = {**view["deployment"], "provisioning_error": error}
            # last, so that what is measured is not ours
            parts["data_plane"] = await self._data_plane(endpoint, name, shared.get("key"))
        finally:
            await end(own.values())
        logs = [*parts.pop("logs"), *read_answers(parts["data_plane"])]
        live, origins = settle({**view, **parts})
        title = f"{target.endpoint}/{name}" if name is not None else target.endpoint
        facts = Facts(
            {
                "schema": SCHEMA_NAME,
                "case": {
                    "name": title,
                    "kind": "deployment" if name is not None else "endpoint",
                    "file": None,
                    "id": identifier,
                },
                "live": live,
                "clock": {"now": self._reader.azure_now},
                "origins": {"live": origins},
                "excerpts": {},
                "joins": [],
            }
        )
        return Collected(facts, logs)

    def _deployment(self, found: Found, name: str | None, endpoint: Json) -> Json:
        traffic = endpoint.get("traffic", endpoint)
        if name is None:
            return unread(found.deployments, "the deployment") if found.deployments.unknown is not None else None
        reading = found.chosen[name]
        if reading.body is None:
            return unread(reading, f"the deployment {name}")
        return read_deployment(reading.body, reading.source, self._target.endpoint, traffic)

    async def _view(
        self,
        found: Found,
        endpoint: Json,
        deployment: Json,
        caller: Caller | Unknown,
        shared: dict[str, Awaitable[Json]],
    ) -> dict[str, Json]:
        reader, subscription = self._reader, self._target.subscription
        variables = _of(deployment, "environment_variables")
        raw = self._raw(found, deployment)
        early = {} if self._how.brief else begin(authorization=self._early(found, caller, shared))
        try:
            identity, connected, environment, model, quota = await together(
                read_identity(reader, found.endpoint, variables),
                self._connected(variables),
                self._asset(read_environment, deployment, "environment", raw.raw("environmentId")),
                self._asset(read_model, deployment, "model", raw.raw("model")),
                self._quota(endpoint, deployment),
            )
            view: dict[str, Json] = {
                # settled twice: to find the scopes, and in the end
                "deployment": keep(deployment),
                "endpoint": keep(endpoint),
                "environment": environment,
                "model": model,
                "connections": connected[1],
                "connection_workspace": connected[0],
                "identity": keep(identity),
                "caller": caller.to_json() if isinstance(caller, Unknown) else caller._asdict(),
                "quota": quota,
            }
            view |= {key: await shared[key] for key in ("workspace", "datastores", "providers")}
            self._how.progress("reading role assignments")
            told = {"live": settle(view)[0], "declared": self._how.declared, "clock": {"now": self._reader.azure_now}}
            scopes = needed_scopes(self._target.workspace_id, told)
            principals = _principals(view, caller)._replace(brief=self._how.brief)
            return {**view, "authorization": await read_authorization(reader, scopes, principals, subscription)}
        finally:
            await end(early.values())

    async def _early(self, found: Found, caller: Caller | Unknown, shared: dict[str, Awaitable[Json]]) -> Json:
        """Begins to read role assignments where the first answers tell already that they will be needed.

        The facts are put together later, of readings that are then already there.
        """
        registry = Body(found.workspace.body).child("properties").raw("containerRegistry")
        # where the deployment names another workspace, its connections are known too late to be of use here
        scopes = likely_scopes(self._target.workspace_id, registry, await shared["connections"])
        principals = Principals(told_principal(found.endpoint), _id_of(caller), frozenset())
        return await read_authorization(self._reader, scopes, principals, self._target.subscription)

    @staticmethod
    def _raw(found: Found, deployment: Json) -> Body:
        name = _of(deployment, "name")
        reading = found.chosen.get(name) if isinstance(name, str) else None
        return Body(reading.body if reading is not None else None).child("properties")

    async def _connected(self, variables: Json) -> list[Json]:
        """The workspace that the serving app reads connections from, and those."""
        own = self._target.workspace_id
        if isinstance(variables, dict) and "$unknown" in variables:
            return [variables, variables]
        named = repr(connection_workspace_of(variables, own))
        key = ("connection workspace", own, named)
        one = await once(self._reader, key, lambda reader: read_connection_workspace(reader, variables, own))
        where = one["id"]
        connections = once(self._reader, ("connections", repr(where)), lambda reader: read_connections(reader, where))
        return [one, await connections]

    def _quota(self, endpoint: Json, deployment: Json) -> Awaitable[Json]:
        subscription = self._target.subscription
        location = _first(_of(deployment, "location"), _of(endpoint, "location"))
        size, instances = _of(deployment, "instance_type"), _of(deployment, "instance_count")
        key = ("quota", subscription, repr((location, size, instances)))
        return once(self._reader, key, lambda reader: read_quota(reader, subscription, location, size, instances))

    def _asset(
        self, read: Callable[..., Coroutine[Any, Any, Json]], deployment: Json, what: str, identifier: Json
    ) -> Awaitable[Json]:
        named = _of(deployment, what)
        if named is None or "$unknown" in named:
            return AtHand(named)
        workspace, asset = self._target.workspace_id, asset_of(identifier)
        key = (what, workspace, repr((named, asset)))
        return once(self._reader, key, lambda reader: read(reader, workspace, named, asset))

    async def _error(self, deployment: Reading) -> Json:
        return await read_provisioning_error(self._reader, deployment.body, self._cloud.host)

    def _metrics(self, deployment: str, name: str | None, found: Found) -> Awaitable[Json]:
        if not self._how.metrics:
            return AtHand(NOT_ASKED.to_json())
        if name is None:
            return AtHand(
                unread(found.deployments, "the deployment") if found.deployments.unknown is not None else None
            )
        return read_metrics(self._reader, deployment, self._reader.azure_now)

    async def _logs(self, identifier: str, deployment: Json) -> Json:
        return await read_logs(self._reader, identifier, _of(deployment, "updated_at"), brief=self._how.brief)

    async def _data_plane(self, endpoint: Json, name: str | None, keys: Awaitable[Json] | None) -> Json:
        if name is None:
            return Unknown("no-address", "there is no deployment to call").to_json()
        if keys is None:
            return not_asked(self._target.endpoint).to_json()
        uri = _of(endpoint, "scoring_uri")
        address = Address.of(uri)
        if address is None:
            unusable = Unknown("no-address", f"the endpoint's scoring URI is {uri!r}")
            return uri if isinstance(uri, dict) else unusable.to_json()
        if not self._cloud.serves(address.host):
            detail = f"the scoring URI is at {address.host}, no host of {self._cloud.name}: no key is sent there"
            return Unknown("foreign-host", detail).to_json()
        self._how.progress(f"calling {address.host}")
        posts = (f"{address.path}/score",) if self._how.score is not None else ()
        pipeline = endpoint_pipeline(address.host, self._how.environment, self._how.limits, posts)
        async with pipeline:
            return await Prober(pipeline, address, self._how.now, await keys).probe(
                self._target.endpoint, name, self._how.score
            )

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


def _of(facts: Json, key: str) -> Json:
    """A fact of a section; where the section itself is unknown or null, that."""
    return facts if facts is None or "$unknown" in facts else facts.get(key)


def _first(*values: Json) -> Json:
    return next((one for one in values if isinstance(one, str)), values[0])


def _id_of(caller: Caller | Unknown) -> str | None:
    return None if isinstance(caller, Unknown) else caller.principal_id


def _principals(view: dict[str, Json], caller: Caller | Unknown) -> Principals:
    endpoint = _of(view["identity"], "principal_id")
    seen = (endpoint, _id_of(caller), _of(view["workspace"], "principal_id"))
    known = frozenset(one.lower() for one in seen if isinstance(one, str))
    return Principals(endpoint, _id_of(caller), known)
