"""Addresses that others wrote, taken apart without surprises."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from pfdoctor.core.model import Json


def https_parts(value: Json) -> SplitResult | None:
    """The parts of an https address with a host and without a user; None for anything else."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        host = parts.hostname if parts is not None else None
    except ValueError:  # an address such as https://[
        return None
    if parts is None or not host or parts.scheme != "https" or "@" in parts.netloc:
        return None
    return parts
