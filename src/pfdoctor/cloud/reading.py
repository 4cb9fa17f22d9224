"""What one request came to: a value or the reason why there is none, and where it was read."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.model import Json, Source, Unknown


class Reading(NamedTuple):
    """What was read. `value` is plain JSON, or Unknown; of a list that came in pages, all the items that were read.

    `incomplete` says why a list may go on beyond the items that were read.
    """

    value: Json
    source: Source
    incomplete: Unknown | None = None

    @property
    def body(self) -> dict[str, Json] | None:
        """The object that was read; None where there is none."""
        return self.value if isinstance(self.value, dict) else None

    @property
    def unknown(self) -> Unknown | None:
        """Why nothing is known; None when something was read."""
        return self.value if isinstance(self.value, Unknown) else None

    @property
    def is_missing(self) -> bool:
        """Whether the service said that there is no such resource. Its parent tells whether to believe that."""
        return isinstance(self.value, Unknown) and self.value.code == "not-found"
