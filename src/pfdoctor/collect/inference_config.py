"""The routes of a container that is the server, and where they are not those of the prompt flow server."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.model import Json

ROUTES = ("liveness_route", "readiness_route", "scoring_route")
_SERVING_PORT = 8080


def port_of(value: Json) -> Json:
    """The port; digits in quotes are the number that they spell, as azure-ai-ml reads them."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 6 else value


def deviations(name: str, route: dict[str, Json]) -> Iterator[str]:
    """In words, where a route is not that of the prompt flow server."""
    port, path = route["port"], route["path"]
    answered = ["/score"] if name == "scoring_route" else ["/health", "/version", "/swagger.json"]
    if port != _SERVING_PORT:
        yield f"{name} has {'no port' if port is None else f'port {port}'} instead of {_SERVING_PORT}"
    if path is None:
        yield f"{name} has no path instead of {answered[0]}"
    elif path not in answered:
        why = ""
        if f"/{path}" in answered:
            why = " (without the slash at its beginning)"
        elif path.rstrip("/") in answered:
            why = " (with a slash at its end)"
        yield f"{name} has path {path}{why} instead of {answered[0]}"
