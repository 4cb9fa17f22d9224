"""What is there already, beside what is still on its way: the former takes no task of the event loop and no turn of it.

Most of what an audit wants to know of an endpoint it knows from the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Generic, TypeVar

_T = TypeVar("_T")
_U = TypeVar("_U")


class AtHand(Awaitable[_T], Generic[_T]):
    """A value that can be awaited, any number of times, without waiting."""

    __slots__ = ("value",)

    def __init__(self, value: _T) -> None:
        self.value = value

    def __await__(self) -> Generator[None, None, _T]:
        yield from ()
        return self.value


async def together(*awaited: Awaitable[_T]) -> list[_T]:
    """What each of them comes to, as asyncio.gather does it; only those that are not at hand become tasks."""
    coming = [one for one in awaited if not isinstance(one, AtHand)]
    if not coming:
        return [one.value for one in awaited if isinstance(one, AtHand)]
    come = iter(await asyncio.gather(*coming))
    return [one.value if isinstance(one, AtHand) else next(come) for one in awaited]


def made_of(parts: Sequence[Awaitable[_T]], make: Callable[..., _U]) -> Awaitable[_U]:
    """What `make` makes of the parts: at hand where all of them are."""
    values = [one.value for one in parts if isinstance(one, AtHand)]
    return AtHand(make(*values)) if len(values) == len(parts) else _made_of(parts, make)


async def _made_of(parts: Sequence[Awaitable[_T]], make: Callable[..., _U]) -> _U:
    return make(*await together(*parts))
