"""One call of the management API, and its answer, without the HTTP around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from pfdoctor.simulator.directory import Principal
from pfdoctor.simulator.errors import ArmError, bad_request, not_found
from pfdoctor.simulator.ids import Target
from pfdoctor.simulator.store import Resource
from pfdoctor.simulator.world import World


class Answer(NamedTuple):
    """Status, JSON body (None: empty) and headers."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}


@dataclass
class Call:
    """What a handler gets."""

    world: World
    method: str
    target: Target
    query: Mapping[str, str]
    """By lower-case name; values decoded."""
    headers: Mapping[str, str]
    principal: Principal
    base: str
    """`https://127.0.0.1:port`, for links in answers."""
    path: str
    body: Any = None
    action: str = ""
    """The operation that access was checked for."""
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    @property
    def who(self) -> tuple[str, str]:
        """Client and object id, as error messages name them."""
        return self.principal.client, self.principal.id

    def existing(self, identifier: str | None = None) -> Resource:
        """The resource that the call is about, or another; a 404 if it is not there."""
        resource = self.world.store.get(identifier or self.target.id)
        if resource is None:
            raise not_found(self.target)
        return resource

    def mapping(self) -> dict[str, Any]:
        """The body, which must be an object."""
        if not isinstance(self.body, dict):
            raise bad_request("The request content was invalid and could not be deserialized.", "InvalidRequestContent")
        return self.body

    def check_etag(self, resource: Resource | None) -> None:
        """If-Match and If-None-Match of a write."""
        wanted = self.headers.get("If-Match")
        if wanted and wanted != "*" and (resource is None or wanted.strip('"') != str(resource.etag)):
            raise ArmError(
                412, "PreconditionFailed", f"The condition '{wanted}' in the If-Match header was not satisfied."
            )
        if resource is not None and self.headers.get("If-None-Match") == "*":
            raise ArmError(412, "PreconditionFailed", "The resource exists, and the If-None-Match header forbids that.")

    def page(self, values: list[Any], size: int) -> dict[str, Any]:
        """One page of a list with the link to the next. `$top`, `count` and `$skip` are understood."""
        first = int(self.query.get("$skip") or self.query.get("$skiptoken") or 0)
        size = int(self.query.get("$top") or self.query.get("count") or size)
        page: dict[str, Any] = {"value": values[first : first + size]}
        # `$top` asks for so many and no more.
        if first + size < len(values) and "$top" not in self.query:
            rest = "&".join(
                f"{name}={value}" for name, value in self.query.items() if name not in {"$skip", "$skiptoken"}
            )
            page["nextLink"] = f"{self.base}{self.path}?{rest}&$skip={first + size}"
        return page


Handler: TypeAlias = Callable[[Call], Answer]


def etag_of(resource: Resource) -> dict[str, str]:
    """The header that says which state of a resource this is."""
    return {"ETag": f'"{resource.etag}"'}
