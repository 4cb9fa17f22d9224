"""Refusals: who was not allowed to do what, and where."""

from __future__ import annotations

from pfdoctor.core.decode.record import Found
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_Q = r"[\"'`‘’“”]"
_IN = r"[^\"'`‘’“”]"
_GAP = r"\s+"
_BACK = 400
"""How far before the words that give a refusal away its sentence begins."""


def _words(text: str) -> str:
    return text.replace(" ", _GAP)


_ARM = Pattern(
    _words(rf"(?:The )?client {_Q}?(?P<client_id>{_IN}*){_Q}? with object id {_Q}?(?P<object_id>{_IN}*?){_Q}? ")
    + _words(rf"does not have authorization to perform action {_Q}(?P<action>{_IN}+){_Q}")
    + rf"(?:{_GAP}over{_GAP}scope{_GAP}{_Q}(?P<scope>{_IN}*))?"
)
_ARM_ACTION = Pattern(
    _words(rf"does not have authorization to perform action {_Q}?(?P<action>[\w./*-]+){_Q}?")
    + rf"(?:{_GAP}over{_GAP}scope{_GAP}{_Q}(?P<scope>{_IN}*))?"
)
_LINKED = Pattern(
    _words(rf"(?:The )?client(?: {_Q}(?P<client_id>{_IN}*){_Q} with object id {_Q}(?P<object_id>{_IN}*){_Q})? ")
    + _words(
        rf"has permission to perform action {_Q}(?P<granted_action>{_IN}*){_Q} on scope {_Q}"
        rf"(?P<granted_scope>{_IN}*){_Q}"
    )
    + _words(r"[;,] however,? it does not have permission to perform (?:the )?(?:following )?action(?:\(s\)|s)? ")
    + rf"{_Q}(?P<action>{_IN}+){_Q}"
    + _words(rf" on the linked scope\(s\) {_Q}(?P<scope>{_IN}*)")
)
_LINKED_OTHER = Pattern(
    _words(
        rf"has permission to perform action {_Q}(?P<granted_action>{_IN}*){_Q} on scope {_Q}"
        rf"(?P<granted_scope>{_IN}*){_Q}"
    )
    + _words(r"[;,] however,? (?P<reason>the (?:linked|current)[^\n]{0,300})")
)
_DATA = Pattern(
    _words(rf"principal {_Q}(?P<object_id>{_IN}*){_Q} lacks the required data action {_Q}(?P<action>{_IN}+){_Q}")
    + rf"(?:{_GAP}to{_GAP}perform{_GAP}{_Q}(?P<request>{_IN}*))?"
)
_IDENTITY = Pattern(
    _words(
        r"Identity\s*\(object\s*id: (?P<object_id>[^)\s]*)\) does not have permissions for (?P<action>"
        r"[\w./*, -]+?) actions"
    )
)
_LACK = Pattern(_words(rf"[Ll]acks? authorization to perform action {_Q}?(?P<action>[\w./*-]+)"))
_DENIED = Pattern(
    _words(
        rf"(?:The )?client {_Q}(?P<client_id>{_IN}*){_Q} with object id {_Q}(?P<object_id>{_IN}*){_Q} has permission "
    )
    + _words(rf"to perform action {_Q}(?P<action>{_IN}+){_Q} on scope {_Q}(?P<scope>{_IN}*){_Q}[;,] however,? ")
    + _words(r"the access is denied because of the deny assignment")
)
_VAULT = Pattern(
    r"Caller:\s*(?:name=[^;\s]*;)?appid=(?P<client_id>[\w-]+);oid=(?P<object_id>[\w-]+)[^\n]*?\s*"
    r"Action:\s*'(?P<action>[^']*)'\s*Resource:\s*'(?P<scope>[^']*)'"
)
_SECRETS = Pattern(_words(r"Access denied to list workspace secret"))
_PULL = Pattern(_words(r"Endpoint identity does not have pull permission on the registry"))
_BLOB = Pattern(_words(r"This request is not authorized to perform this operation(?P<by> using this permission)?"))

LIST_SECRETS = "Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action"
_PULLS = "Microsoft.ContainerRegistry/registries/pull/read"


def _find(pattern: Pattern, text: str, start: int, end: int) -> Found | None:
    """The sentence around the words from `start` to `end`, if the pattern reads it."""
    first = max(0, start - _BACK)
    best = None
    for match in pattern.finditer(text[first : end + 3000]):
        if first + match.start() <= start < first + match.end():
            best = match
            break
    if best is None:
        return None
    fields: dict[str, Json] = {name: " ".join(value.split()) for name, value in best.groupdict().items() if value}
    return Found(first + best.start(), first + best.end(), "authorization", None, best[0].strip(), fields)


def refused(text: str, start: int, end: int) -> list[Found]:
    """`… does not have authorization to perform action 'A' over scope 'S'`."""
    found = _find(_ARM, text, start, end) or _find(_ARM_ACTION, text, start, end)
    return [] if found is None else [found._replace(code="AuthorizationFailed")]


def linked(text: str, start: int, end: int) -> list[Found]:
    """`… has permission to perform action 'A' …; however, …`: a linked scope, another tenant, a deny assignment."""
    denied = _find(_DENIED, text, start, end)
    if denied is not None:
        return [denied._replace(code="DenyAssignmentAuthorizationFailed")]
    found = _find(_LINKED, text, start, end) or _find(_LINKED_OTHER, text, start, end)
    return [] if found is None else [found._replace(code="LinkedAuthorizationFailed")]


def data_action(text: str, start: int, end: int) -> list[Found]:
    """``The principal `P` lacks the required data action `A` to perform `R` operation`` of Azure OpenAI."""
    found = _find(_DATA, text, start, end)
    return [] if found is None else [found._replace(code="PermissionDenied")]


def identity(text: str, start: int, end: int) -> list[Found]:
    """`Identity(object id: P) does not have permissions for A actions` of Azure ML's own services."""
    found = _find(_IDENTITY, text, start, end)
    return [] if found is None else [found._replace(code="UserError")]


def lack(text: str, start: int, end: int) -> list[Found]:
    """`Lack authorization to perform action "A"` of the index lookup tools."""
    found = _find(_LACK, text, start, end)
    return [] if found is None else [found._replace(code="AuthorizationFailed")]


def vault(text: str, start: int, end: int) -> list[Found]:
    """`Caller: appid=…;oid=… Action: … Resource: …` of a key vault that asks Azure RBAC."""
    found = _find(_VAULT, text, start, end)
    return [] if found is None else [found._replace(code="ForbiddenByRbac")]


def secrets(text: str, start: int, end: int) -> list[Found]:
    """What the serving app says when it may not read a connection's key."""
    found = _find(_SECRETS, text, start, end)
    return [] if found is None else [_whole_line(text, found, "ListSecretsDenied", LIST_SECRETS)]


def pull(text: str, start: int, end: int) -> list[Found]:
    """What Azure ML says when the endpoint's identity may not pull the image."""
    found = _find(_PULL, text, start, end)
    return [] if found is None else [_whole_line(text, found, "BadArgument", _PULLS)]


def storage(text: str, start: int, end: int) -> list[Found]:
    """What Azure Storage says: with `using this permission` a role is missing, without it a network rule refused."""
    found = _find(_BLOB, text, start, end)
    if found is None:
        return []
    code = "AuthorizationPermissionMismatch" if "by" in found.fields else "AuthorizationFailure"
    return [found._replace(code=code, fields={})]


_SENTENCES = Pattern(r"(?:(?![\"']\s*[,}\]])[^\n]){0,500}")
"""To the end of the line, or of the string that the sentence stands in."""


def _whole_line(text: str, found: Found, code: str, action: str) -> Found:
    rest = _SENTENCES.match(text, found.end)
    end = rest.end() if rest is not None else found.end
    return Found(found.start, end, found.kind, code, text[found.start : end].strip(), {"action": action})
