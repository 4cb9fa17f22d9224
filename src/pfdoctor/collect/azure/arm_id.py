"""Resource ids of Azure Resource Manager, taken apart and put together."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.model import Json

ML = "Microsoft.MachineLearningServices"


class ArmId(NamedTuple):
    """A resource id: `types` and `names` run in step below the provider. `text` is the id as it was written."""

    text: str
    subscription: str
    resource_group: str | None
    provider: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.names[-1]

    @property
    def type(self) -> str:
        """Provider and types: Microsoft.Storage/storageAccounts."""
        return "/".join((self.provider, *self.types))

    @property
    def read(self) -> str:
        """The operation that reading the resource needs."""
        return f"{self.type}/read"

    @property
    def root(self) -> ArmId:
        """The resource that a nested one belongs to: the storage account of a container."""
        if len(self.types) == 1:
            return self
        below = "/".join(f"{kind}/{name}" for kind, name in zip(self.types[1:], self.names[1:], strict=True))
        return self._replace(text=self.text.removesuffix(f"/{below}"), types=self.types[:1], names=self.names[:1])

    @property
    def group_id(self) -> str | None:
        """The id of the resource group, or None for a resource that lies in none."""
        if self.resource_group is None:
            return None
        return f"{subscription_id(self.subscription)}/resourceGroups/{self.resource_group}"


def parse(text: Json) -> ArmId | None:
    """The id, or None for whatever is none (a registry's azureml:// address, a template, nothing)."""
    if not isinstance(text, str):
        return None
    parts = text.strip("/").split("/")
    if len(parts) < 2 or parts[0].lower() != "subscriptions" or not all(parts) or {".", ".."} & set(parts):
        return None
    group: str | None = None
    rest = parts[2:]
    if len(rest) >= 2 and rest[0].lower() == "resourcegroups":
        group, rest = rest[1], rest[2:]
    if len(rest) < 4 or rest[0].lower() != "providers" or len(rest) % 2:
        return None
    return ArmId("/" + "/".join(parts), parts[1], group, rest[1], tuple(rest[2::2]), tuple(rest[3::2]))


def subscription_id(subscription: str) -> str:
    return f"/subscriptions/{subscription}"


def workspace_id(subscription: str, resource_group: str, name: str) -> str:
    return f"{subscription_id(subscription)}/resourceGroups/{resource_group}/providers/{ML}/workspaces/{name}"


def same(one: Json, other: Json) -> bool:
    """Whether two ids name one resource: Azure Resource Manager does not tell upper from lower case."""
    return isinstance(one, str) and isinstance(other, str) and one.strip("/").lower() == other.strip("/").lower()


def last(text: Json) -> str | None:
    """The last segment of an id."""
    return text.rstrip("/").rpartition("/")[2] or None if isinstance(text, str) else None
