"""Whether Azure still believes the login: a 401 may be of one subscription alone, or the end of the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Credential
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.cloud.pipeline import Limits
from pfdoctor.cloud.reader import Reader

UNAUTHENTICATED = "unauthenticated"
"""The code of what was answered by 401."""

_MORE = 2
"""Further questions before a 401 is believed."""
_PAUSE = 0.5
_BELIEVED = 10.0
"""Seconds for which an answer holds: a thousand endpoints of a foreign tenant are no reason for as many questions."""


class Login:
    """Asked by whoever met a 401 or got no token. Any token that is one may list the tenants that it is for.

    `reader` makes a new reader, for each keeps what it has read.
    """

    def __init__(self, cloud: Cloud, credential: Credential, reader: Callable[[], Reader], limits: Limits) -> None:
        self.cloud = cloud
        self.credential = credential
        self._reader = reader
        self._limits = limits
        self._lock = asyncio.Lock()
        self._good_until = float("-inf")

    async def check(self) -> None:
        """Raises AuthenticationError where there is no token any more, or Azure accepts it for nothing."""
        await self.credential.caller(self.cloud.arm_scope)
        async with self._lock:
            if self._limits.clock() < self._good_until:
                return
            refusal = await self._refusal()
            for _ in range(_MORE):
                if refusal is None:
                    break
                await self._limits.sleep(_PAUSE)
                refusal = await self._refusal()
            if refusal is not None:
                raise AuthenticationError(f"the login has ended: {refusal}. Log in again, such as with az login")
            self._good_until = self._limits.clock() + _BELIEVED

    async def _refusal(self) -> str | None:
        """What a 401 said; None for any other answer, and for none, which is no proof against the login."""
        reader = self._reader()
        try:
            why = (await reader.list("/tenants", "2022-12-01")).unknown
        finally:
            await reader.close()
        return why.detail if why is not None and why.code == UNAUTHENTICATED else None
