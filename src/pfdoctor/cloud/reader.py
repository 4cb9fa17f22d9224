"""Reads resources, each once, whatever happens: what cannot be read is Unknown with its reason, never an exception."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import quote

from azure.core.exceptions import AzureError
from azure.core.pipeline import AsyncPipeline
from azure.core.rest import HttpRequest

from pfdoctor.cloud import faults
from pfdoctor.cloud.address import https_parts
from pfdoctor.cloud.at_hand import AtHand
from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.date import LatestDate, iso_text
from pfdoctor.cloud.errors import RefusedRequestError
from pfdoctor.cloud.pacing import FIRST
from pfdoctor.cloud.reading import Reading
from pfdoctor.cloud.shared import Key, Made, Shared, is_settled, passes
from pfdoctor.core.model import Json, Source, Unknown
from pfdoctor.core.redact import redact_text

_MOST_PAGES = 200
_DEEPEST = 50
_SAFE = "/()$',:@"

_T = TypeVar("_T")
Now = Callable[[], str]
Query = Mapping[str, str] | None
Kept = Callable[[Key, Reading], None]


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """The text as a path or a parameter of an address."""
    return quote(text, safe=_SAFE, errors="replace")


def utc_now() -> str:
    """The machine's time, ISO 8601 in UTC."""
    return iso_text(dt.datetime.now(dt.timezone.utc))


class Reader:
    """Reads from one Azure Resource Manager. A resource that several ask for, even at once, is read once.

    What it read is kept as long as it is itself. `share` gives it readings that outlive it, for several readers.

    Raises AuthenticationError where the credential does; nothing else. What the guard refuses is Unknown.
    """

    def __init__(
        self,
        pipeline: AsyncPipeline[Any, Any],
        cloud: Cloud,
        longest: float,
        now: Now = utc_now,
        latest: LatestDate | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._cloud = cloud
        self._longest = longest
        self._now = now
        self._latest = latest or LatestDate()
        self._begun: dict[Key, asyncio.Task[Reading]] = {}
        self._shared: Shared | None = None
        self._is_own: Callable[[str], bool] = lambda _: True
        self._before: Mapping[Key, Reading] = {}
        self._kept: Kept | None = None
        self.is_urgent = False
        """Whether its requests go before those of other readers that wait, too."""
        self.failures: dict[Key, Unknown] = {}
        """What could not be read, or not to its end, and why."""

    @property
    def azure_now(self) -> str:
        """The time by Azure's clock, as the latest answer told it; the machine's where no answer did. ISO 8601 in UTC.

        It is that of answers which came by now, to this reader or to one that shares with it, never of kept readings.
        """
        moment = self._latest.moment
        return iso_text(moment) if moment is not None else self._now()

    @property
    def is_troubled(self) -> bool:
        """Whether something could not be read for a reason that may pass."""
        return any(passes(one) for one in self.failures.values())

    def share(
        self,
        shared: Shared,
        is_own: Callable[[str], bool],
        before: Mapping[Key, Reading] | None = None,
        kept: Kept | None = None,
    ) -> Reader:
        """A further reader, of the same pipeline, that reads through `shared` all but the addresses that are its own.

        `is_own` is asked of an address in lower case, query included. `before` are readings of its own that were made
        earlier, and `kept` is told of each that it makes and that need not be made again.
        """
        reader = Reader(self._pipeline, self._cloud, self._longest, self._now, self._latest)
        reader._shared, reader._is_own, reader._before, reader._kept = shared, is_own, before or {}, kept
        return reader

    def another(self) -> Reader:
        """A further reader of the same pipeline, with an empty memory but for Azure's time."""
        return Reader(self._pipeline, self._cloud, self._longest, self._now, self._latest)

    def get(
        self, path: str, api_version: str, permission: str | None = None, query: Query = None
    ) -> Awaitable[Reading]:
        """The resource at the path below Azure Resource Manager; always an object when it is not Unknown.

        `permission` is the operation that reading it needs, for when it is missing and the answer does not name it.
        """
        url = self._url(path, api_version, query)
        return self._once("GET", url, "", lambda: self._object("GET", url, path, api_version, permission))

    def list(
        self, path: str, api_version: str, permission: str | None = None, query: Query = None
    ) -> Awaitable[Reading]:
        """All items of a collection, page by page. A page that fails leaves the rest, and `incomplete` says why."""
        url = self._url(path, api_version, query)
        return self._once("GET", url, "list", lambda: self._pages(url, path, api_version, permission))

    def post(self, path: str, api_version: str, body: Json, permission: str | None = None) -> Awaitable[Reading]:
        """What one of the POSTs that only read answers; always an object when it is not Unknown."""
        url = self._url(path, api_version, None)
        text = json.dumps(body, sort_keys=True)

        def read() -> Coroutine[Any, Any, Reading]:
            return self._object("POST", url, path, api_version, permission, body)

        return self._once("POST", url, text, read)

    def once(self, key: tuple[object, ...], make: Callable[[Reader], Coroutine[Any, Any, _T]]) -> Awaitable[_T]:
        """What `make` makes of what it reads: with shared readings once for all readers that ask for it by this key.

        `make` may lean on its reader and the key alone. What it cannot read counts as a failure of every reader.
        """
        if self._shared is None:
            return make(self)
        made = self._shared.made_before(key)
        if made is None:
            return self._made_now(self._shared, key, make)
        self.failures.update(made.failures)
        return AtHand(cast("_T", made.value))

    async def _made_now(self, shared: Shared, key: tuple[object, ...], make: Callable[[Reader], Awaitable[_T]]) -> _T:
        made = await shared.made(key, lambda: self._made(make))
        self.failures.update(made.failures)
        return cast("_T", made.value)

    async def _made(self, make: Callable[[Reader], Awaitable[Json]]) -> Made:
        reader = Reader(self._pipeline, self._cloud, self._longest, self._now, self._latest)
        reader._shared, reader._is_own = self._shared, self._is_own
        try:
            value = await make(reader)
        finally:
            await reader.close()
        return Made(value, reader.failures)

    async def close(self) -> None:
        """Ends what is still being read."""
        for task in self._begun.values():
            task.cancel()
        await asyncio.gather(*self._begun.values(), return_exceptions=True)

    def _url(self, path: str, api_version: str, query: Query) -> str:
        asked = {**(query or {}), "api-version": api_version}
        encoded = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in asked.items())
        return f"{self._cloud.resource_manager}{_quoted(path)}?{encoded}"

    def _once(self, method: str, url: str, rest: str, read: Callable[[], Awaitable[Reading]]) -> Awaitable[Reading]:
        key = (method, url.lower(), rest)
        shared = self._shared if not self._is_own(key[1]) else None
        known = shared.read_before(key) if shared is not None else self._before.get(key)
        if known is not None:
            return AtHand(self._noted(key, known))
        return self._read_now(shared, key, read)

    async def _read_now(self, shared: Shared | None, key: Key, read: Callable[[], Awaitable[Reading]]) -> Reading:
        if shared is not None:
            return self._noted(key, await shared.once(key, read))
        task = self._begun.get(key)
        if task is None:
            task = self._begun[key] = asyncio.ensure_future(self._read(key, read))
        # one that stops waiting must not take the answer away from the others
        return self._noted(key, await asyncio.shield(task))

    async def _read(self, key: Key, read: Callable[[], Awaitable[Reading]]) -> Reading:
        reading = await read()
        if self._kept is not None and is_settled(reading):
            self._kept(key, reading)
        return reading

    def _noted(self, key: Key, reading: Reading) -> Reading:
        why = reading.unknown or reading.incomplete
        if why is not None:
            self.failures[key] = why
        return reading

    async def _object(
        self, method: str, url: str, path: str, api_version: str, permission: str | None, body: Json = None
    ) -> Reading:
        value, source = await self._send(method, url, path, api_version, permission, body)
        if not isinstance(value, dict | Unknown):
            value = self._again(Unknown("wrong-type", "the answer is no object"), method, url)
        if value == {}:
            # every resource says something of itself: nothing at all is no resource in which all is absent
            value = self._again(Unknown("wrong-type", "the answer is an empty object"), method, url)
        return Reading(value, source)

    async def _pages(self, url: str, path: str, api_version: str, permission: str | None) -> Reading:
        first: Source | None = None
        items: list[Json] = []
        seen: set[str] = set()
        link: Json = url
        while True:
            value, source = await self._send("GET", link, path, api_version, permission, None)
            first = first or source
            page = value.get("value") if isinstance(value, dict) else None
            if not isinstance(page, list):
                why = value if isinstance(value, Unknown) else Unknown("wrong-type", "the answer holds no list")
                why = self._again(why, "GET", url)
                return Reading(why, first) if not seen else Reading(items, first, why)
            items += [one for one in page if isinstance(one, dict)]
            if any(not isinstance(one, dict) for one in page):
                return Reading(items, first, self._again(Unknown("wrong-type", "an item is no object"), "GET", url))
            seen.add(link)
            link = value.get("nextLink") or value.get("@nextLink")
            if link is None:
                return Reading(items, first)
            fault = self._bad_link(link, seen)
            if fault is not None:
                return Reading(items, first, self._again(fault, "GET", url))

    def _bad_link(self, link: Json, seen: set[str]) -> Unknown | None:
        """Why the next page cannot be asked for."""
        if not isinstance(link, str):
            return Unknown("wrong-type", "the link to the next page is no text")
        if link in seen:
            return Unknown("page-loop", "the pages of the list go round in circles")
        if len(seen) >= _MOST_PAGES:
            return Unknown("too-many-pages", f"the list has more than {_MOST_PAGES} pages")
        parts = https_parts(link)
        if parts is None or parts.netloc.lower() != self._cloud.host:
            where = parts.netloc if parts is not None else "no https address"
            return Unknown("foreign-page", f"the next page is at {where}, which is not {self._cloud.host}")
        return None

    async def _send(
        self, method: str, url: str, path: str, api_version: str, permission: str | None, body: Json
    ) -> tuple[Json, Source]:
        request = HttpRequest(method, url, json=body) if body is not None else HttpRequest(method, url)
        status, request_id = 0, None
        try:
            # many wait for what they share
            first = self.is_urgent or not self._is_own(url.lower())
            ran = await asyncio.wait_for(self._pipeline.run(request, **{FIRST: first}), self._longest)
            response = ran.http_response
            status, request_id = response.status_code, response.headers.get("x-ms-request-id")
            content_type = response.headers.get("Content-Type", "")
            text = response.content.decode("utf-8-sig", "replace")
            value = _value(status, content_type, text, permission)
            if not isinstance(value, Unknown):
                # an answer that cannot be read may be a proxy's, and so may its date
                self._latest.note(response.headers.get("Date"))
        except RefusedRequestError as error:
            # an answer of Azure named what may not be asked for
            value = Unknown("refused-by-us", str(error))
        except (AzureError, asyncio.TimeoutError, zlib.error) as error:
            value = faults.of_error(error)
        if isinstance(value, Unknown):
            value = self._again(value, method, url, body)
        return value, Source(path, api_version, status, request_id, self._now(), method)

    @staticmethod
    def _again(why: Unknown, method: str, url: str, body: Json = None) -> Unknown:
        """The reason without secrets, with the command that makes the same request by hand."""
        command = f'az rest --method {method.lower()} --url "{url.replace("$", chr(92) + "$")}"'
        if body is not None:
            command += f" --body '{json.dumps(body)}'"
        return why._replace(detail=redact_text(why.detail), collect_command=why.collect_command or command)


def _value(status: int, content_type: str, text: str, permission: str | None) -> Json:
    if status != 200:
        return faults.of_answer(status, content_type, text, permission)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return faults.of_body(content_type, text)
    is_shallow = text.count("{") + text.count("[") <= _DEEPEST or _is_shallow(value)
    return value if is_shallow else Unknown("malformed", "the answer is nested too deeply")


def _is_shallow(value: Json) -> bool:
    """Whether a value is nested no deeper than what walks through it later can bear."""
    level = [value]
    for _ in range(_DEEPEST):
        below = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [child for one in below for child in one if isinstance(child, dict | list)]
        if not level:
            return True
    return False
