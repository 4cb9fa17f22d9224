"""Many retries, of whatever kind, are one error: a storm."""

from __future__ import annotations

from collections.abc import Collection

from pfdoctor.core.decode.record import Decoded

_STORM = 5
"""So many retries are a storm."""


def storms(errors: Collection[Decoded]) -> list[Decoded]:
    """The storm among the errors of a text; no element where there is none."""
    retried = [
        one
        for one in errors
        if one.kind == "retry" or (one.kind in ("llm", "http") and one.fields.get("status") == 429)
    ]
    attempts = sum(one.occurrences for one in retried)
    if attempts < _STORM:
        return []
    first = min(retried, key=lambda one: one.line)
    causes = sorted({str(one.fields.get("error") or one.code) for one in retried})
    message = f"{attempts} retries or refusals: {', '.join(causes)}"
    fields = {"attempts": attempts, "errors": causes}
    return [Decoded("retry", "storm", message, fields, first.line, first.excerpt, first.time)]
