"""HTTP answers: status lines with their headers as curl prints them, access logs, and what client libraries say."""

from __future__ import annotations

from pfdoctor.core.decode.record import Found
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_STATUS = Pattern(r"HTTP/(?:1\.[01]|2(?:\.0)?|3)[ ]+(?P<status>[1-5]\d\d)(?:[ ]+(?P<reason>[^\n\"\r]{0,100}))?")
_HEADER = Pattern(r"(?:< ?|\* )?(?P<name>[A-Za-z][A-Za-z0-9-]{1,60}):[ \t]*(?P<value>[^\n]{0,400})")
_QUOTED = Pattern(r"[\"']<? ?\Z")
"""An answer inside another text: a quote stands before its first line."""
_ACCESS = Pattern(r"\"(?P<method>[A-Z]{3,7}) (?P<path>[^\s\"]{1,500}) HTTP/[\d.]{1,3}\" (?P<status>[1-5]\d\d)\b")
_CLIENT = Pattern(
    r"(?P<status>[45]\d\d) (?:Client|Server) Error: (?P<reason>[^\n]{0,100}?) for url: (?P<url>\S{1,500})"
)
_REQUEST = Pattern(
    r"HTTP Request: (?P<method>[A-Z]{3,7}) (?P<url>\S{1,500}) \"HTTP/[\d.]{1,3} (?P<status>[1-5]\d\d)"
    r"(?: (?P<reason>[^\"\n]{0,60}))?\""
)
_GATEWAY = Pattern(
    r"ms-azureml-model-error-(?P<what>statuscode|reason)[\"']?\s*[:=]\s*[\"']?(?P<value>[^\"'\n\r,}]{1,300})"
)
_HEADERS = {
    "ms-azureml-model-error-statuscode": "model_status",
    "ms-azureml-model-error-reason": "model_reason",
    "ms-azureml-model-time": "model_time",
    "azureml-model-deployment": "deployment",
    "retry-after": "retry_after",
    "x-ms-request-id": "request_id",
    "x-request-id": "request_id",
    "www-authenticate": "challenge",
    "x-ms-error-code": "error_code",
    "content-type": "content_type",
    "server": "server",
    "location": "location",
}
_LINES = 60


def status_line(text: str, start: int, _end: int) -> list[Found]:
    """A status of 400 or more: in an access log, in a client's message, or of an answer with its headers."""
    line = text.rfind("\n", 0, start) + 1
    before = text[line:start]
    if '"' in before:
        logged = _logged(text, line, start)
        if logged:
            return logged
    if before.strip() not in ("", "<") and _QUOTED.search(before) is None:
        return []
    match = _STATUS.match(text, start)
    if match is None or int(match["status"]) < 400:
        return []
    fields: dict[str, Json] = {"status": int(match["status"])}
    position, seen = match.end(), match.end()
    for _ in range(_LINES):
        newline = text.find("\n", position)
        if newline < 0:
            break
        header = _HEADER.match(text, newline + 1)
        if header is None:
            break
        name = _HEADERS.get(header["name"].lower())
        if name is not None:
            fields.setdefault(name, header["value"].strip())
        position = seen = header.end()
    reason = (match["reason"] or "").strip() or None
    return [Found(start, seen, "http", match["status"], reason, fields)]


def _logged(text: str, line: int, start: int) -> list[Found]:
    stop = text.find("\n", start)
    whole = text[line : stop if stop >= 0 else len(text)]
    for pattern in (_REQUEST, _ACCESS):
        for match in pattern.finditer(whole):
            if match.start() <= start - line < match.end():
                if int(match["status"]) < 400:
                    return []
                fields: dict[str, Json] = dict(match.groupdict())
                fields["status"] = int(match["status"])
                reason = fields.pop("reason", None)
                return [Found(line + match.start(), line + match.end(), "http", match["status"], reason, fields)]
    return []


def client(text: str, start: int, _end: int) -> list[Found]:
    """`403 Client Error: Forbidden for url: …` of requests."""
    match = _CLIENT.search(text[max(0, start - 4) : start + 700])
    if match is None:
        return []
    first = max(0, start - 4)
    fields: dict[str, Json] = {"status": int(match["status"]), "url": match["url"]}
    return [Found(first + match.start(), first + match.end(), "http", match["status"], match["reason"], fields)]


def gateway(text: str, start: int, _end: int) -> list[Found]:
    """The gateway's word on what the container answered, where no status line stands before it."""
    found: dict[str, Json] = {}
    stop = start
    for match in _GATEWAY.finditer(text[start : start + 1000]):
        found.setdefault(
            {"statuscode": "model_status", "reason": "model_reason"}[match["what"]], match["value"].strip()
        )
        stop = start + match.end()
    if not found:
        return []
    reason = found.get("model_reason")
    return [Found(start, stop, "http", "424", reason if isinstance(reason, str) else None, found)]
