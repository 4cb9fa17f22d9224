"""How an audit goes about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pfdoctor.cloud.pipeline import Limits
from pfdoctor.cloud.reader import Now, utc_now
from pfdoctor.core.model import Json

if TYPE_CHECKING:
    # what reads endpoints is loaded while somebody logs in
    from pfdoctor.audit.examined import Examined, Read

Examine = Callable[["Read"], Awaitable["Examined"]]
Told = Callable[[dict[str, Json], int, int], None]
"""Told of each entry as it comes, how many there are by now, and how many there will be."""


class How(NamedTuple):
    """How to audit. `concurrency` is requests at once; `environment` names certificates."""

    examine: Examine
    environment: Mapping[str, str]
    concurrency: int = 64
    metrics: bool = False
    limits: Limits = Limits()
    now: Now = utc_now
    told: Told = lambda _, __, ___: None
    broke: Callable[[str, Exception], str] = lambda _, error: type(error).__name__
    """Told of an endpoint that a bug of ours kept from being examined; what to say of it in the report."""
