"""What is looked at: one online endpoint."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.collect.azure.arm_id import workspace_id


class Target(NamedTuple):
    """An endpoint, by the names that `az ml` takes."""

    subscription: str
    resource_group: str
    workspace: str
    endpoint: str

    @property
    def workspace_id(self) -> str:
        return workspace_id(self.subscription, self.resource_group, self.workspace)

    @property
    def id(self) -> str:
        return f"{self.workspace_id}/onlineEndpoints/{self.endpoint}"
