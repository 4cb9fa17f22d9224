"""Facts of what endpoints have in common: of an audit they are made once, not once for each endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.kept import keep
from pfdoctor.core.model import Json


def once(reader: Reader, key: tuple[object, ...], make: Callable[[Reader], Awaitable[Json]]) -> Awaitable[Json]:
    """The facts that `make` makes of what it reads, for all that ask for them by this key.

    The key has everything that they hang on but the answers themselves.
    """

    async def made(through: Reader) -> Json:
        return keep(await make(through))

    return reader.once(key, made)
