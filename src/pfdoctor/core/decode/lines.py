"""Lines as a program wrote them, without what consoles, CI services and containers put around them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from pfdoctor.core.pattern import Pattern

_ESCAPES = Pattern(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]{0,500}(?:\x07|\x1b\\)|[@-Z\\^_])")
_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
_PREFIXES = rf"""
      \ufeff
    | {_STAMP}(?:[ ]|$)                                       # GitHub Actions, Azure DevOps, docker -t, kubectl
    | \#\#\[[a-z]{{1,12}}\]                                   # the first two: ##[error]
    | ::(?:error|warning|notice|debug|group)(?:[ ][^:\n]{{0,300}}(?:::)?)?::
    | \#\d{{1,4}}[ ]\d{{1,6}}\.\d{{1,3}}[ ]                   # docker build with BuildKit: step, seconds
    | \[pod/[^\]\n]{{1,200}}\][ ]                             # kubectl logs --prefix
    | (?:stdout|stderr)[ ][FP][ ]                             # a container's log file
"""
_TABBED = rf"""
    | [^\t\n]{{1,120}}\t[^\t\n]{{1,120}}\t(?=\ufeff?{_STAMP}[ ])   # gh run view --log: job, step
"""
_PIPED = r"""
    | [A-Za-z0-9][\w.-]{0,80}[ ]{1,30}\|[ ]                   # docker compose: service
"""
_BEGINS = r"(?=[\ufeff\d#:\[s])"
_PREFIX = {
    (tabbed, piped): Pattern(
        f"(?m)^{'' if tabbed or piped else _BEGINS}"
        f"(?:{_PREFIXES}{_TABBED if tabbed else ''}{_PIPED if piped else ''})+",
        re.VERBOSE,
    )
    for tabbed in (False, True)
    for piped in (False, True)
}
"""Two prefixes begin with nothing special: they are only looked for where the text holds what ends them."""
_TIME = Pattern(
    r"(?P<date>\d{4}[-/]\d\d[-/]\d\d)[T ](?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?"
    r"[ ]?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?"
    r"|\[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<time>\d\d:\d\d:\d\d)[ ](?P<offset>[+-]\d{4})\]"
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def plain(text: str) -> str:
    """The text without colours and other escape sequences."""
    return _ESCAPES.sub("", text) if "\x1b" in text else text


def clean(text: str) -> str:
    """The text without escape sequences and without the prefixes of CI services and containers; as many lines."""
    text = plain(text)
    return _PREFIX["\t" in text, " | " in text].sub("", text)


def time_of(line: str) -> str | None:
    """The first time in a line as ISO 8601, in UTC where the line says its zone; else with no zone."""
    match = _TIME.search(line[:400])
    if match is None:
        return None
    try:
        return _iso(match)
    except ValueError:
        return None


def _iso(match: re.Match[str]) -> str:
    if match["day"]:
        date = f"{match['year']}-{_MONTHS.index(match['month']) + 1:02}-{match['day']}"
        clock, part, zone = match["time"], None, match["offset"]
    else:
        date, clock, part, zone = match["date"].replace("/", "-"), match["clock"], match["part"], match["zone"]
    moment = datetime.strptime(f"{date}T{clock}", "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007  # the zone follows, if any
    fraction = f".{part}" if part else ""
    if zone is None:
        return f"{moment.isoformat()}{fraction}"
    if zone not in ("Z", "UTC"):
        sign = -1 if zone[0] == "-" else 1
        moment -= sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return f"{moment.replace(tzinfo=timezone.utc).isoformat().removesuffix('+00:00')}{fraction}Z"
