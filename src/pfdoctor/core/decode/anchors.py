"""Which literal gives which error away."""

from __future__ import annotations

from pfdoctor.core.decode import arm, authorization, builds, clients, exceptions, http, processes
from pfdoctor.core.decode.record import Decoder

_STATUS_LINES = tuple(
    f"HTTP/{version}{after}{status}"
    for version in ("1.0", "1.1", "2", "2.0", "3")
    for after in (" ", '" ')
    for status in "45"
)
"""Answers of 400 and more, in headers and in access logs."""

_DECODERS: dict[Decoder, tuple[str, ...]] = {
    arm.body: ('"code":', "'code':", '"Code":', "'Code':", '"code" :', 'Code="'),
    arm.entry: ("Code: ",),
    arm.text_form: ("ERROR: (", "Error: (", "Exception: (", "Details:\t(", ".\t(", "}\t("),
    arm.named: arm.NAMED,
    authorization.refused: ("authorization to perform action",),
    authorization.linked: ("has permission to perform action",),
    authorization.data_action: ("lacks the required data action",),
    authorization.identity: ("does not have permissions for",),
    authorization.lack: ("ack authorization to perform action", "acks authorization to perform action"),
    authorization.vault: ("Caller: ",),
    authorization.secrets: ("Access denied to list workspace secret",),
    authorization.pull: ("does not have pull permission on the registry",),
    authorization.storage: ("This request is not authorized to perform this operation",),
    http.status_line: _STATUS_LINES,
    http.client: (" Client Error: ", " Server Error: "),
    http.gateway: ("ms-azureml-model-error-",),
    exceptions.traceback: ("Traceback (most recent call last)",),
    exceptions.bare: ("Error: ", "Exception: ", "Error) ", "Exception) ", "NotFound: ", "NotFound) "),
    clients.error_code: ("Error code: ",),
}


def _anchors() -> dict[str, tuple[Decoder, ...]]:
    found: dict[str, list[Decoder]] = {}
    for decoder, literals in _DECODERS.items():
        for literal in literals:
            found.setdefault(literal, []).append(decoder)
    for pattern in (*builds.PATTERNS, *processes.PATTERNS, *clients.PATTERNS):
        for literal in pattern.literals:
            found.setdefault(literal, []).append(pattern.read)
    return {literal: tuple(decoders) for literal, decoders in found.items()}


ANCHORS = _anchors()
"""The decoders of each literal that gives an error away."""


SINGLE_LINE: frozenset[Decoder] = frozenset(
    (
        arm.named,
        exceptions.bare,
        http.client,
        *(pattern.read for pattern in (*builds.PATTERNS, *processes.PATTERNS, *clients.PATTERNS)),
    )
)
"""Decoders that look at nothing but the line, so that the same line comes to the same error."""

SPANNING: dict[Decoder, str] = {
    arm.body: "body",
    clients.error_code: "body",
    arm.text_form: "text",
    arm.entry: "text",
    http.status_line: "headers",
    http.gateway: "headers",
    exceptions.traceback: "traceback",
}
"""Decoders that read on over many lines; others of the same name find nothing new in what one of them has read."""
