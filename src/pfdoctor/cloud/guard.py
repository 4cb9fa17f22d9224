"""What may leave: GET, and a short list of POSTs that only read. Everything else is refused before a byte is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from pfdoctor.cloud.errors import RefusedRequestError
from pfdoctor.core.pattern import Pattern

_SEGMENT = r"[^/?#\\]+"
_DEPLOYMENT = (
    rf"/subscriptions/{_SEGMENT}/resourceGroups/{_SEGMENT}/providers/Microsoft\.MachineLearningServices"
    rf"/workspaces/{_SEGMENT}/onlineEndpoints/{_SEGMENT}/deployments/{_SEGMENT}"
)
# Azure Resource Manager does not tell upper from lower case
_READING_POSTS = (
    Pattern(rf"{_DEPLOYMENT}/getLogs\Z", re.IGNORECASE),
    Pattern(r"/providers/Microsoft\.ResourceGraph/resources\Z", re.IGNORECASE),
)
_NEVER = ("listsecrets",)
_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")


class Guard:
    """The requests that one transport lets through: to one host, over https, that read.

    `posts` are the paths, spelled exactly, of further POSTs that somebody asked for by name (`--probe`).
    """

    def __init__(self, host: str, posts: Iterable[str] = ()) -> None:
        self.host = host.lower()
        """The only one, with its port where one is named."""
        self._posts = frozenset(posts)

    def check(self, method: str, url: str, headers: Iterable[str]) -> None:
        """Raises RefusedRequestError for whatever may not leave."""
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.netloc.lower() != self.host:
            raise RefusedRequestError(f"refused: {parts.scheme}://{parts.hostname} is not https://{self.host}")
        path = unquote(parts.path)
        segments = path.lower().rstrip("/").split("/")
        # a GET never makes anything tell its secrets; a resource may be called so
        if (method != "GET" and segments[-1] in _NEVER) or {".", ".."} & set(segments):
            raise RefusedRequestError(f"refused: {method} {path}")
        if any(name.lower() in _OVERRIDES for name in headers):
            raise RefusedRequestError(f"refused: {method} {path} with another method in its headers")
        if method != "GET" and not self._allows(method, path):
            raise RefusedRequestError(f"refused: {method} {path} is no read")

    def _allows(self, method: str, path: str) -> bool:
        return method == "POST" and self._reads(path)

    def _reads(self, path: str) -> bool:
        return path in self._posts


class ArmGuard(Guard):
    """Of Azure Resource Manager: the POSTs that only read are allowed, too."""

    def _reads(self, path: str) -> bool:
        return super()._reads(path) or any(one.match(path) for one in _READING_POSTS)
