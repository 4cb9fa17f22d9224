"""The world as the data plane asks it: endpoints by name, who may score, and where log lines go."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pfdoctor.simulator.dataplane import (
    ContainerType,
    Deployment,
    Endpoint,
    Identity,
    deployment_from_arm,
    endpoint_from_arm,
)
from pfdoctor.simulator.errors import ArmError
from pfdoctor.simulator.machine_learning import keys_of
from pfdoctor.simulator.store import Resource
from pfdoctor.simulator.tokens import Tokens
from pfdoctor.simulator.world import World

ENDPOINT = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENT = f"{ENDPOINT}/deployments"
AUDIENCE = "https://ml.azure.com"
"""Of the tokens that an endpoint with authMode AADToken takes."""


def identity_of(body: dict[str, object]) -> Identity:
    """The managed identities in the body of an endpoint."""
    identity = body.get("identity")
    if not isinstance(identity, dict):
        return Identity()
    users = (identity.get("userAssignedIdentities") or {}).values()
    return Identity(
        identity.get("principalId"),
        {str(user["clientId"]): str(user["principalId"]) for user in users if user and user.get("clientId")},
    )


class Online:
    """An `Endpoints` of the data plane. A relative `flow` is relative to `folder`; `base` is the simulator's URL."""

    def __init__(self, world: World, tokens: Tokens, folder: Path, base: str) -> None:
        self._world = world
        self._tokens = tokens
        self._folder = folder
        self.base = base

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint of that name, as it is now."""
        resource = self._world.store.named(ENDPOINT, name)
        if resource is None:
            return None
        found = self._world.store.below(resource.id, DEPLOYMENT).values()
        deployments = {deployment.name: self.deployment(deployment) for deployment in found}
        return endpoint_from_arm(self._world.store.view(resource), deployments, identity_of(resource.body))

    def deployment(self, resource: Resource) -> Deployment:
        """One deployment, as it is now."""
        simulation = self._world.simulation.get(resource.key, {})
        return deployment_from_arm(self._world.store.view(resource), simulation, self._folder)

    def accepts(self, endpoint: Endpoint, credential: str) -> bool:
        """Whether the bearer credential is a current key or token of the endpoint, or of someone who may score."""
        resource = self._world.store.get(endpoint.resource_id)
        if resource is None:
            return False
        if endpoint.auth_mode.lower() == "key":
            return credential in keys_of(self._world.secrets, resource).values()
        audiences = {resource.key}
        entra = endpoint.auth_mode.lower() == "aadtoken"
        if entra:
            audiences |= {AUDIENCE, self.base.lower()}
        try:
            claims = self._tokens.check(f"Bearer {credential}", audiences)
        except ArmError:
            return False
        return not entra or self._world.allows(claims["oid"], f"{ENDPOINT}/score/action", resource.id)

    def list_secrets(self, principal: str, workspace: str, connection: str) -> int:
        """The status of listsecrets by that principal, now."""
        scope = f"{workspace}/connections/{connection}"
        action = "Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action"
        if not self._world.allows(principal, action, scope):
            return 403
        if any(lock.level == "ReadOnly" for lock in self._world.locks_on(scope)):
            return 409
        return 200 if self._world.store.get(scope) else 404

    def now(self) -> dt.datetime:
        """The simulated time."""
        return dt.datetime.fromtimestamp(self._world.clock.now(), dt.timezone.utc)

    def log(self, endpoint: str, deployment: str, container: ContainerType, line: str) -> None:
        """Keep a line for `getLogs`."""
        resource = self._world.store.named(ENDPOINT, endpoint)
        if resource is not None:
            logs = self._world.logs.setdefault(f"{resource.key}/deployments/{deployment.lower()}", {})
            logs[container] = f"{logs.get(container, '')}{line}\n"
