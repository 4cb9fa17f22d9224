"""Errors of Azure's services: JSON bodies, the same as a Python dict, and the text that SDKs and `az` make of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.core.decode.loose import read_value
from pfdoctor.core.decode.record import Found
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_BEFORE = 4000
"""How far before a `code` key its opening brace may stand: other keys of the error come first now and then."""
_NEAR = 100
"""Nearly always it is the first key."""
_NESTED = 50
_NAME = Pattern(r"[A-Za-z][A-Za-z0-9._-]{2,80}")
_STATUS = Pattern(r"[1-5]\d\d")
_NOT_CODES = frozenset(("null", "None", "UTF-8", "utf-8"))


class _Error(NamedTuple):
    code: str
    message: str | None
    within: str | None
    fields: dict[str, Json]


def body(text: str, start: int, end: int) -> list[Found]:
    """The error whose key `code` stands at `start`, with all that are nested in it, outermost first."""
    opening = _opening(text, start)
    if opening is not None:
        read = read_value(text, opening)
        if read is not None and isinstance(read.value, dict):
            found = [
                Found(opening, read.end, "arm", error.code, error.message, _fields(error, cut=not read.whole))
                for error in _errors(read.value, None, 0)
            ]
            if found:
                return found[:_NESTED]
    return _without_braces(text, start, end)


def _fields(error: _Error, *, cut: bool) -> dict[str, Json]:
    fields: dict[str, Json] = dict(error.fields)
    if error.within is not None:
        fields["within"] = error.within
    if cut:
        fields["cut"] = True
    return fields


def _opening(text: str, start: int) -> int | None:
    """The brace of the mapping that a key at `start` belongs to."""
    for reach in (_NEAR, _BEFORE):
        depth, first = 0, max(0, start - reach)
        for match in reversed(list(_BRACES.finditer(text[first:start]))):
            if match[0] in "}]":
                depth += 1
            elif depth == 0:
                return first + match.start() if match[0] == "{" else None
            else:
                depth -= 1
    return None


_BRACES = Pattern(r"[{}\[\]]")


def _errors(value: Json, within: str | None, depth: int) -> Iterator[_Error]:
    """The errors in a value, outermost first. `details` may be a list or, from the studio, one mapping."""
    if depth > 12:
        return
    if isinstance(value, list):
        for element in value[:_NESTED]:
            yield from _errors(element, within, depth + 1)
        return
    if not isinstance(value, dict):
        return
    code, message = value.get("code", value.get("Code")), value.get("message", value.get("Message"))
    name = _code(code)
    below = within
    if name is not None and (isinstance(message, str) or "details" in value or _inner(value) is not None):
        fields: dict[str, Json] = {}
        if isinstance(value.get("target"), str) and value["target"]:
            fields["target"] = value["target"]
        fields |= _additional(value.get("additionalInfo"))
        yield _Error(name, message if isinstance(message, str) else None, within, fields)
        below = name
        if isinstance(message, str):
            yield from _inside(message, name, depth)
    for key in ("error", "Error", "details", "innererror", "innerError", "InnerError"):
        inner = value.get(key)
        if isinstance(inner, dict) and key.lower() == "innererror" and "message" not in inner and "code" in inner:
            inner = {**inner, "message": ""}  # azure names only the code of an inner error
        yield from _errors(inner, below, depth + 1)


def _inside(message: str, within: str, depth: int) -> Iterator[_Error]:
    """The errors of another service that a message quotes."""
    brace = message.find("{")
    if brace >= 0:
        read = read_value(message, brace)
        if read is not None:
            yield from _errors(read.value, within, depth + 1)


def _inner(value: dict[str, Json]) -> Json:
    return value.get("innererror", value.get("innerError", value.get("InnerError")))


def _code(code: Json) -> str | None:
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
        return str(code)
    if not isinstance(code, str) or code in _NOT_CODES:
        return None
    return code if _NAME.fullmatch(code) or _STATUS.fullmatch(code) else None


_KEPT = {"componentname": "component", "environment": "region", "location": "region", "time": "reported_at"}


def _additional(info: Json) -> dict[str, Json]:
    """What Azure ML adds to an error and a person may need for a support request: component, region, time, ids."""
    kept: dict[str, Json] = {}
    for one in info if isinstance(info, list) else [info]:
        if not isinstance(one, dict) or not isinstance(one.get("type"), str):
            continue
        inside = one.get("info")
        value = inside.get("value") if isinstance(inside, dict) else inside
        name = _KEPT.get(one["type"].lower())
        if name is not None and isinstance(value, str):
            kept.setdefault(name, value)
        elif one["type"].lower() == "correlation" and isinstance(value, dict):
            kept |= {f"{key}_id": value[key] for key in ("operation", "request") if isinstance(value.get(key), str)}
    return kept


_PAIR = Pattern(
    r"""["']?[Cc]ode["']?\s*[:=]\s*["'](?P<code>[A-Za-z][\w.-]{2,80})["']"""
    r"""(?:[\s,]*["']?[Mm]essage["']?\s*[:=]\s*(?P<quote>["'])(?P<message>(?:(?!(?P=quote)\s*(?:[,}\]]"
    r"|\Z))[\s\S]){0,4000}))?"""
)


def _without_braces(text: str, start: int, _end: int) -> list[Found]:
    """`Code="X" Message="…"` of programs in Go, and bodies whose beginning was cut off."""
    match = _PAIR.match(text, start)
    if match is None or match["message"] is None or match["code"] in _NOT_CODES:
        return []
    return [Found(start, match.end(), "arm", match["code"], match["message"].rstrip("'\""), {})]


_TEXT = Pattern(
    r"\((?P<code>[A-Za-z][\w.-]{2,80})\)[ \t]*(?P<message>[^\n]*(?:\n(?![ \t]*(?:Code:|$|Traceback|"
    r"File ))[^\n]*){0,15}?)"
    r"(?=\s*\n\s*Code:|\n[ \t]*\n|\n\S|\s*\Z)"
)
_ENTRY = Pattern(
    r"Code:[ \t]*(?P<code>[A-Za-z][\w.-]{2,80}|None)[ \t\r]*\n"
    r"[ \t]*Message:[ \t]*(?P<message>[^\n]*(?:\n(?![ \t]*(?:Target:|Exception Details:|Inner error:|"
    r"Additional |Code:|$))[^\n]*){0,30})"
    r"(?:\n[ \t]*Target:[ \t]*(?P<target>[^\n]*))?"
)
_NONE = Pattern(r"\(None\)[ \t]*(?P<code>[A-Z][A-Za-z]{3,60}): ?(?P<message>[^\n]*)")


def entry(text: str, start: int, _end: int) -> list[Found]:
    """`Code: X` and `Message: Y` on lines of their own, as azure-core prints an error; each nested one has its own."""
    match = _ENTRY.match(text, start)
    if match is None or match["code"] == "None":
        return []
    fields: dict[str, Json] = {"target": match["target"].strip()} if match["target"] else {}
    # the SDK puts the next of several details right behind the message of this one
    message = _NEXT.split(match["message"], 1)[0]
    end = match.end() if message == match["message"] else match.start("message") + len(message)
    return [Found(start, end, "arm", match["code"], message, fields)]


_NEXT = Pattern(r"\t(?=\([A-Za-z][\w.-]{2,80}\) )")


def text_form(text: str, start: int, end: int) -> list[Found]:
    """`ERROR: (Code) message` of `az`, `HttpResponseError: (Code) message` of the SDK, `(None) Code: message`."""
    opening = text.rfind("(", start, end)
    if opening < 0:
        return []
    unnamed = _NONE.match(text, opening)
    if unnamed is not None:
        return [Found(start, unnamed.end(), "arm", unnamed["code"], unnamed["message"], {})]
    match = _TEXT.match(text, opening)
    if match is None or match["code"] in _NOT_CODES or _is_exception(match["code"]):
        # promptflow writes a Python exception like this: (ModuleNotFoundError) No module named …
        return []
    return [Found(start, match.end(), "arm", match["code"], match["message"], {})]


def _is_exception(code: str) -> bool:
    return code.endswith(("Error", "Exception")) and code not in _ERRORS


_ERRORS = frozenset(("UserError", "SystemError", "InternalServerError", "ServiceError", "ValidationError"))
"""Codes of Azure that look like Python's exceptions."""

_BARE = Pattern(r"(?P<code>[A-Z][A-Za-z]{3,60}): ?(?P<message>[^\n]*)")


def named(text: str, start: int, _end: int) -> list[Found]:
    """`ResourceNotReady: User container …`: a well-known code and its message, as the studio and the portal show it."""
    match = _BARE.match(text, start)
    if match is None or (start and (text[start - 1].isalnum() or text[start - 1] in "._")):
        return []
    return [Found(start, match.end(), "arm", match["code"], match["message"], {})]


NAMED = tuple(
    "ResourceNotReady: ImageBuildFailure: OutOfQuota: BadArgument: ResourceNotFound: ResourceConflict: "
    "OperationCanceled: SecretsInjectionError: InternalServerError: AuthorizationFailed: QuotaExceeded: "
    "NamespaceConflict: SubscriptionNotRegistered: BadRequest: InvalidTemplateDeployment: RequestDisallowedByPolicy: "
    "OutOfCapacity: ACRSecretError: ModelOperationError: ScoringFeUnhealthy: LinkedAuthorizationFailed: "
    "ResourceGroupNotFound: ParentResourceNotFound: InvalidAuthenticationToken: ScopeLocked: Conflict: "
    "MissingDriverProgram: EndpointNotFound: OnlineEndpointNotFound:".split(" ")
)
"""Codes after which their message follows on the same line."""
