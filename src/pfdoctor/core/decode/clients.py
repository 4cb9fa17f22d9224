"""Calls that fail on the way out: language models, names, certificates, proxies and connections; and their retries."""

from __future__ import annotations

from pfdoctor.core.decode.loose import read_value
from pfdoctor.core.decode.patterns import line_pattern as _line
from pfdoctor.core.decode.record import Found
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_REST = r"(?P<message>[^\n]*)"
_LINE = r"[^\n]+"
"""The line of the literal, whatever it is."""
_CLASSES = (
    "RateLimitError|AuthenticationError|PermissionDeniedError|NotFoundError|BadRequestError|APIConnectionError|"
    "APITimeoutError|InternalServerError|UnprocessableEntityError|ConflictError|APIStatusError|APIError|InvalidRequestError|"
    "ServiceUnavailableError|Timeout"
)

PATTERNS = (
    _line(
        "llm",
        "{error}",
        "OpenAI API hits ",
        rf"OpenAI API hits (?P<error>(?!exception)\w+): {_REST}",
    ),
    _line("llm", "exception", "OpenAI API hits exception: ", rf"OpenAI API hits exception: {_REST}"),
    _line(
        "llm",
        "content-filter",
        ("The response was filtered due to the prompt triggering", "ResponsibleAIPolicyViolation"),
        r"(?:The response was filtered due to the prompt triggering|ResponsibleAIPolicyViolation)[^\n]*",
    ),
    _line(
        "llm",
        "deployment-not-found",
        "The API deployment for this resource does not exist",
        r"The API deployment for this resource does not exist[^\n]*",
    ),
    _line(
        "llm",
        "rate-limit",
        "exceeded token rate limit of your current",
        r"[^\n]*exceeded token rate limit of your current (?P<tier>[^\n.]*)[^\n]*",
    ),
    _line(
        "llm",
        "rate-limit",
        "exceeded call rate limit of your current",
        r"[^\n]*exceeded call rate limit of your current (?P<tier>[^\n.]*)[^\n]*",
    ),
    _line(
        "llm",
        "context-length",
        "maximum context length is",
        r"maximum context length is (?P<limit>\d+) tokens[^\n]*",
    ),
    _line(
        "llm",
        "key-refused",
        "Access denied due to invalid subscription key or wrong API endpoint",
        r"Access denied due to invalid subscription key or wrong API endpoint[^\n]*",
    ),
    _line("llm", "key-refused", "Incorrect API key provided", r"Incorrect API key provided"),
    _line(
        "llm",
        "network-refused",
        "Access denied due to Virtual Network/Firewall rules",
        r"Access denied due to Virtual Network/Firewall rules[^\n]*",
    ),
    _line("llm", "quota", "You exceeded your current quota", r"You exceeded your current quota[^\n]*"),
    _line(
        "retry",
        "{error}",
        "Back off ",
        r"(?P<error>\w+) #(?P<attempt>\d+),[^\n]*?Back off (?P<seconds>[\d.]+) seconds for retry",
    ),
    _line("retry", "{error}", "reached max retry. Exit retry", r"(?P<error>\w+) reached max retry\. Exit retry[^\n]*"),
    _line(
        "retry", "retrying", "Retrying request to ", r"Retrying request to (?P<path>\S+) in (?P<seconds>[\d.]+) seconds"
    ),
    _line(
        "retry",
        "retrying",
        "Retrying (Retry(total=",
        r"Retrying \(Retry\(total=(?P<left>\d+)[^\n]*?after connection broken by '(?P<error>\w+)[^\n]*",
    ),
    _line(
        "retry",
        "exhausted",
        "Max retries exceeded with url",
        r"(?:host='(?P<host>[^']+)', port=(?P<port>\d+)\): )?Max retries exceeded with url: (?P<path>\S+)[^\n]*",
    ),
    _line("network", "name-not-resolved", "Name or service not known", _LINE),
    _line(
        "network",
        "name-not-resolved",
        "Temporary failure in name resolution",
        _LINE,
    ),
    _line("network", "name-not-resolved", "getaddrinfo failed", _LINE),
    _line(
        "network",
        "name-not-resolved",
        "No address associated with hostname",
        _LINE,
    ),
    _line(
        "network", "name-not-resolved", "Could not resolve host", r"Could not resolve host:? ?(?P<host>[^\s;]*)[^\n]*"
    ),
    _line("network", "name-not-resolved", "Failed to resolve '", r"Failed to resolve '(?P<host>[^']+)'[^\n]*"),
    _line("network", "certificate", "CERTIFICATE_VERIFY_FAILED", r"CERTIFICATE_VERIFY_FAILED\]? ?(?P<reason>[^\n]*)"),
    _line("network", "certificate", "SSL certificate problem", r"SSL certificate problem: (?P<reason>[^\n]*)"),
    _line(
        "network",
        "tls",
        ("SSLEOFError", "WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "TLSV1_ALERT"),
        _LINE,
    ),
    _line("network", "proxy", "Cannot connect to proxy", r"Cannot connect to proxy[^\n]*"),
    _line("network", "proxy", "Tunnel connection failed", r"Tunnel connection failed: (?P<status>\d+)[^\n]*"),
    _line("network", "proxy", "Received HTTP code ", r"Received HTTP code (?P<status>\d+) from proxy after CONNECT"),
    _line(
        "network",
        "refused",
        ("Connection refused", "connection refused", "actively refused it"),
        _LINE,
    ),
    _line(
        "network",
        "reset",
        (
            "Connection reset by peer",
            "Remote end closed connection",
            "forcibly closed by the remote host",
            "upstream connect error",
        ),
        _LINE,
    ),
    _line(
        "network",
        "timeout",
        (
            "Read timed out",
            "ConnectTimeoutError",
            "Connection timed out",
            "upstream request timeout",
            "context deadline exceeded",
        ),
        _LINE,
    ),
    _line(
        "network",
        "no-route",
        ("Network is unreachable", "No route to host"),
        _LINE,
    ),
    _line(
        "network",
        "public-access",
        ("Public network access is disabled", "Public access is disabled"),
        _LINE,
    ),
)

_STATUS = Pattern(r"Error code: (?P<status>[1-5]\d\d)(?: - |\b)")
_CLASS = Pattern(rf"(?P<error>{_CLASSES}):? *\Z")


def error_code(text: str, start: int, end: int) -> list[Found]:
    """`Error code: 429 - {'error': {…}}` of the openai package."""
    match = _STATUS.match(text, start)
    if match is None:
        return []
    fields: dict[str, Json] = {"status": int(match["status"])}
    before = _CLASS.search(text[max(0, start - 80) : start])
    if before is not None:
        fields["error"] = before["error"]
    stop, code, message = match.end(), None, None
    read = read_value(text, match.end())
    if read is not None and isinstance(read.value, dict):
        stop = read.end
        body = read.value.get("error")
        inner = body if isinstance(body, dict) else read.value
        code = inner.get("code") or inner.get("type")
        message = inner.get("message")
        below = inner.get("innererror")
        if isinstance(below, dict) and isinstance(below.get("code"), str):
            fields["inner"] = below["code"]
    if message is None:
        newline = text.find("\n", stop)
        stop = newline if newline >= 0 else len(text)
    name = str(code) if code is not None else str(fields.get("error") or match["status"])
    said = message if isinstance(message, str) else text[start:stop][:1000]
    return [Found(start, max(stop, end), "llm", name, said, fields)]
