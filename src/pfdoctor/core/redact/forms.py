"""Credentials that their own form gives away: `sk-…`, `AccountKey=…`, a private key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple, TypeAlias

from pfdoctor.core.redact.names import (
    GUID,
    INSTRUMENTATION_KEY,
    PLACEHOLDER_WORDS,
    is_random,
    is_template,
    is_wordy,
    letters_of,
)


class Hit(NamedTuple):
    """A secret from `start` to `end` of the text; `recognised` when its own form gives it away, not only its name."""

    start: int
    end: int
    kind: str
    name: str | None
    recognised: bool


_Check: TypeAlias = Callable[[str], bool]


class _Form(NamedTuple):
    """A kind of credential with a form of its own. The secret is the group `secret`, or else the whole match."""

    kind: str
    literals: tuple[str, ...]
    pattern: str
    is_real: _Check
    name: str | None = None


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compiled on first use: most runs meet none of these."""
    return re.compile(pattern)


def matches(form: _Form, text: str) -> Iterator[Hit]:
    pattern = compiled(form.pattern)
    group = "secret" if "secret" in pattern.groupindex else 0
    for match in pattern.finditer(text):
        if form.is_real(match[group]):
            yield Hit(match.start(group), match.end(group), form.kind, form.name, recognised=True)


def _varied(secret: str) -> bool:
    """Not `hf_xxxxxxxx…`, which stands in documentation and templates."""
    return len(set(secret)) >= 8 and not is_template(secret)


def _no_words(secret: str) -> bool:
    """Nor `sk-your-key-goes-here`, or a name that happens to begin like a key."""
    return _varied(secret) and not is_wordy(secret)


def _holds_key(block: str) -> bool:
    """Not just the line that begins a private key, quoted in a message."""
    return compiled(r"[A-Za-z0-9+/]{20}").search(block) is not None


def _random(secret: str) -> bool:
    """The user part of a URL that is a token rather than somebody's name."""
    return len(secret) >= 20 and is_random(secret)


def _password(secret: str) -> bool:
    return not is_template(secret) and not PLACEHOLDER_WORDS.issuperset(letters_of(secret))


def _set_password(secret: str) -> bool:
    """One in a connection string, and not the call or path that a statement of a program assigns."""
    return _password(secret) and not set("()/") & set(secret[:1] + secret[-1:])


_BASE64 = r"(?:[A-Za-z0-9+/]|%2[BFbf])"
_PAD = r"(?:=|%3[Dd]){0,2}"
_EQUALS = r"(?:=|%3[Dd])"
_SET_PASSWORD = r"(?:password|pwd)[ \t]*=[ \t]*(?P<secret>[^\s;\"'][^;\"'\n]{2,200})"
_BEFORE = r"(?<![A-Za-z0-9_])"
_AFTER = r"(?![A-Za-z0-9_])"

# Literal beginnings first: a form whose literals are not in the text costs one search for each.
FORMS = (
    _Form("Anthropic API key", ("sk-ant-",), r"(?<![A-Za-z0-9_-])sk-ant-[A-Za-z0-9_-]{20,}", _no_words),
    _Form("OpenAI API key", ("sk-",), r"(?<![A-Za-z0-9_-])sk-(?!ant-)[A-Za-z0-9_-]{20,}", _no_words),
    _Form("Azure OpenAI key", ("JQQJ99",), r"[A-Za-z0-9]{40,60}JQQJ99[A-Za-z0-9]{20,30}", _varied),
    _Form("Azure AI Search key", ("AzSe",), _BEFORE + r"[A-Za-z0-9]{42}AzSe[A-Za-z0-9]{6}" + _AFTER, _varied),
    _Form("Azure Functions key", ("AzFu",), r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_=%-]{4,12}", _varied),
    _Form(
        "Azure storage account key",
        ("AccountKey",),
        rf"AccountKey{_EQUALS}(?P<secret>{_BASE64}{{16,}}{_PAD})",
        _varied,
        "AccountKey",
    ),
    _Form("Azure storage account key", ("+ASt",), r"[A-Za-z0-9+/]{70,76}\+ASt[A-Za-z0-9+/]{6}={0,2}", _varied),
    _Form(
        "Azure storage account key",
        ("==",),
        r"(?<![A-Za-z0-9+/=-])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])",
        _varied,
    ),
    _Form("Azure Cosmos DB key", ("ACDb",), r"[A-Za-z0-9+/]{70,76}ACDb[A-Za-z0-9+/]{6}={0,2}", _varied),
    _Form("Azure Container Registry key", ("+ACR",), r"[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9+/]{6}", _varied),
    _Form("Azure DevOps access token", ("AZDO",), r"[A-Za-z0-9]{70,76}AZDO[A-Za-z0-9]{4}", _varied),
    _Form(
        "shared access key",
        ("AccessKey",),
        rf"(?<![A-Za-z])(?:SharedAccess|Access)Key{_EQUALS}(?P<secret>{_BASE64}{{16,}}{_PAD})",
        _varied,
        "SharedAccessKey",
    ),
    _Form(
        "shared access signature",
        ("sig=", "sig%3"),
        rf"(?<![A-Za-z0-9])sig{_EQUALS}(?P<secret>(?:[A-Za-z0-9+/_-]|%25|%2[BFbf]|%3[Dd]|=){{20,}})",
        _varied,
        "sig",
    ),
    # of a connection string, in which a password ends at the semicolon, whatever blanks it holds
    _Form(
        "password",
        ("assword", "ASSWORD", "Pwd", "PWD", "pwd"),
        rf"(?i)(?<![A-Za-z_]){_SET_PASSWORD};[ \t]*[a-z][a-z ]{{1,40}}=",
        _set_password,
        "Password",
    ),
    _Form(
        "password",
        ("assword", "ASSWORD", "Pwd", "PWD", "pwd"),
        rf"(?i)=[^;\"'\n]{{1,200}};[ \t]*{_SET_PASSWORD}",
        _set_password,
        "Password",
    ),
    # behind ? or & it is a signature however short it was cut
    _Form(
        "shared access signature",
        ("sig=",),
        r"[?&]sig=(?P<secret>[A-Za-z0-9%+/_=-]{6,19})(?![A-Za-z0-9%+/_=-])",
        _password,
        "sig",
    ),
    _Form(
        "Azure Functions key",
        ("code=",),
        r"[?&]code=(?P<secret>(?:[A-Za-z0-9+/_-]|%2[BFbf]|%3[Dd]|=){40,})",
        _varied,
        "code",
    ),
    _Form(
        INSTRUMENTATION_KEY,
        ("nstrumentation", "NSTRUMENTATION"),
        rf"(?i)instrumentation_?key[\"']?\]?\s*(?:[:= ]|%3d)\s*[\"']?(?P<secret>{GUID})",
        _varied,
        "InstrumentationKey",
    ),
    _Form(
        "JSON web token",
        ("eyJ",),
        _BEFORE + r"eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*",
        _varied,
    ),
    _Form("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _BEFORE + r"gh[pousr]_[A-Za-z0-9]{30,}", _varied),
    _Form("GitHub token", ("github_pat_",), _BEFORE + r"github_pat_[A-Za-z0-9_]{20,}", _varied),
    _Form("GitLab token", ("glpat-",), _BEFORE + r"glpat-[A-Za-z0-9_-]{20,}", _varied),
    _Form("AWS access key id", ("AKIA", "ASIA"), _BEFORE + r"A(?:KI|SI)A[A-Z0-9]{16}" + _AFTER, _varied),
    _Form("Slack token", ("xox",), _BEFORE + r"xox[abeoprs]-[A-Za-z0-9-]{10,}", _varied),
    _Form(
        "Slack webhook",
        ("hooks.slack.com/services/",),
        r"hooks\.slack\.com/services/(?P<secret>T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{10,})",
        _varied,
    ),
    _Form("Google API key", ("AIza",), _BEFORE + r"AIza[A-Za-z0-9_-]{30,}", _varied),
    _Form("Hugging Face token", ("hf_",), _BEFORE + r"hf_[A-Za-z0-9]{30,}", _varied),
    _Form("Databricks token", ("dapi",), _BEFORE + r"dapi[0-9a-f]{32}(?:-\d)?" + _AFTER, _varied),
    _Form(
        "API key",
        ("gsk_", "tvly-", "pcsk_", "lsv2_", "pplx-", "xai-"),
        _BEFORE + r"(?:gsk_|tvly-(?:dev-|prod-)?|pcsk_|lsv2_(?:pt|sk)_|pplx-|xai-)[A-Za-z0-9_]{20,}",
        _no_words,
    ),
    _Form(
        "Entra ID client secret",
        ("Q~",),
        r"(?<![A-Za-z0-9_.~-])[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{30,36}",
        _varied,
    ),
    _Form(
        "private key",
        ("PRIVATE KEY",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:(?!-----)[\s\S])*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"|(?:[A-Za-z0-9+/=\s\"',:-]|\\[rn])*)",
        _holds_key,
    ),
    _Form(
        "password in a URL",
        ("://",),
        r"://[^\s/:@'\"<>]{0,200}:(?P<secret>[^\s/@'\"<>]{1,500})@(?=[A-Za-z0-9\[])",
        _password,
    ),
    _Form("token in a URL", ("://",), r"://(?P<secret>[A-Za-z0-9_~.-]{20,200})@(?=[A-Za-z0-9\[])", _random),
    _Form(
        "password of a command",
        ("curl ",),
        r"\bcurl(?=[ \t])[^\n]{0,1000}?[ \t](?:-u|--user|-U|--proxy-user)[= \t]{0,2}[\"']?"
        r"[^\s:\"']{0,200}:(?P<secret>[^\s\"']{4,500})",
        _password,
    ),
    _Form("bearer token", ("earer ",), r"[Bb]earer (?P<secret>[A-Za-z0-9_.~+/=-]{16,})", is_random),
)
