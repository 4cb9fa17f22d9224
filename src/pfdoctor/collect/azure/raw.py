"""Raw bodies of the resources that a plan may change: what it expects to find, and what it must not lose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Credential
from pfdoctor.cloud.pipeline import Limits, arm_pipeline
from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import last
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json
from pfdoctor.core.plan.resource import Resources


def read_now(
    cases: Iterable[Facts],
    cloud: Cloud,
    make: Callable[[], Credential],
    environment: Mapping[str, str],
    limits: Limits,
) -> Resources:
    """The resources of these cases. Raises AuthenticationError where nobody is logged in."""

    async def run() -> Resources:
        async with make() as credential:
            pipeline = arm_pipeline(cloud, credential, environment, limits)
            async with pipeline:
                reader = Reader(pipeline, cloud, limits.request)
                try:
                    return await _read(reader, [facts.document.get("live") for facts in cases])
                finally:
                    await reader.close()

    return asyncio.run(run())


async def _read(reader: Reader, views: list[Json]) -> Resources:
    parts = ("deployment", "endpoint", "environment")
    named = {one for view in views for part in parts if (one := _id(view, part)) is not None}
    containers = {one.partition("/versions/")[0] for one in named if "/environments/" in one}
    bodies, listed = await asyncio.gather(
        asyncio.gather(*(reader.get(one, versions.ENDPOINT) for one in sorted(named))),
        asyncio.gather(*(reader.list(f"{one}/versions", versions.ASSET) for one in sorted(containers))),
    )
    return Resources(
        {one.lower(): reading.body for one, reading in zip(sorted(named), bodies, strict=True) if reading.body},
        {
            one.lower(): tuple(filter(None, (last(body.get("name")) for body in reading.value)))
            for one, reading in zip(sorted(containers), listed, strict=True)
            # a list that is not whole does not tell which version is free
            if isinstance(reading.value, list) and reading.incomplete is None
        },
    )


def _id(view: Json, part: str) -> str | None:
    body = view.get(part) if isinstance(view, dict) else None
    identifier = body.get("id") if isinstance(body, dict) else None
    return identifier if isinstance(identifier, str) else None
