"""Azure's time, as the `Date` of its answers tells it (RFC 9110, section 6.6.1)."""

from __future__ import annotations

import datetime as dt
import email.utils


def date_of(header: str | None) -> dt.datetime | None:
    """The moment that a `Date` header names; None where there is no such header, or it names none."""
    try:
        date = email.utils.parsedate_to_datetime(header or "")
        return date.astimezone(dt.timezone.utc) if date.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def iso_text(moment: dt.datetime) -> str:
    """ISO 8601, in seconds, of a moment in UTC."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


class LatestDate:
    """The latest `Date` of the answers so far: what several readers of one Azure learn of its time."""

    def __init__(self) -> None:
        self.moment: dt.datetime | None = None
        self._header: str | None = None

    def note(self, header: str | None) -> None:
        """Takes note of the `Date` header of an answer, if it is one."""
        if header == self._header:
            return  # most answers come within a second of another
        self._header = header
        date = date_of(header)
        if date is not None and (self.moment is None or date > self.moment):
            self.moment = date
