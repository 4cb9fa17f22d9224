"""Literal secrets in texts and values: where they stand, and the same text without them.

A secret is recognised by the form of known credentials (`sk-…`, `AccountKey=…`, a private key), or by the name beside
it: `api_key: <something random>`. Templates, references to variables, names and words are left alone.

Every flow and source file passes through here, so the text is searched with `str.find` for the few words that begin
a secret, and regular expressions only run where one was found. Redaction is repeated until nothing is found, which
makes it idempotent.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TypeAlias

from pfdoctor.core.model import Json

INSTRUMENTATION_KEY = "Application Insights instrumentation key"
"""The one kind that only lets others write telemetry, not read anything."""


@dataclass(frozen=True, slots=True)
class _Hit:
    """A secret from `start` to `end` of the text; `recognised` when its own form gives it away, not only its name."""

    start: int
    end: int
    kind: str
    name: str | None
    recognised: bool


def redact_text(text: str) -> str:
    """The text with a token such as `[redacted: Azure OpenAI key]` for every literal secret; it has as many lines."""
    while True:
        hits = _without_tokens(text, _detect(text, code=False))
        if not hits:
            return text
        parts: list[str] = []
        end = 0
        for hit in hits:
            parts += (text[end : hit.start], _token(hit.kind), "\n" * text.count("\n", hit.start, hit.end))
            end = hit.end
        text = "".join((*parts, text[end:]))


def redact_value(value: Json, key: str | None = None) -> Json:
    """The value with every secret in it replaced. `key` is the name that it stands under, if any.

    Under a secret's name any literal text is a secret, however short: only templates, references, paths, words and
    names of things stay.
    """
    if isinstance(value, str):
        if key is not None and is_secret_name(key) and _is_literal(value):
            return _token(_kind(key, value))
        return redact_text(value)
    if isinstance(value, list):
        return [redact_value(element, key) for element in value]
    if isinstance(value, dict):
        below = next((value[word] for word in ("name", "variable", "key") if isinstance(value.get(word), str)), None)
        # promptflow's custom connections: every value below `secrets` is one, whatever its name
        secret = "secret" if key is not None and key.lower() == "secrets" else None
        return {
            name: redact_value(element, secret or (below if name == "value" and below else name))
            for name, element in value.items()
        }
    return value


def find_secrets(text: str, file_kind: str) -> list[dict[str, Json]]:
    """The literal secrets of a file, in order: `{line, column, end_column, kind, name, recognised}`, 1-based.

    `file_kind` is env, yaml, python, dockerfile, json or text: in Python a value without quotes is an expression.
    The end column is exclusive, on the line where the secret begins. `name` is the key or variable beside it, or None;
    `recognised` is false when only that name and the randomness of the value speak for a secret.
    """
    hits = _without_tokens(text, _detect(text, code=file_kind == "python"))
    if not hits:
        return []
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: list[dict[str, Json]] = []
    for hit in hits:
        line = bisect_right(starts, hit.start)
        newline = text.find("\n", hit.start, hit.end)
        end = newline if newline >= 0 else hit.end
        found.append(
            {
                "line": line,
                "column": hit.start - starts[line - 1] + 1,
                "end_column": end - starts[line - 1] + 1,
                "kind": hit.kind,
                "name": hit.name,
                "recognised": hit.recognised,
            }
        )
    return found


def is_secret_name(name: str) -> bool:
    """Whether a key or variable of this name holds a secret: `api_key`, `clientSecret`, `MY_SAS_TOKEN`."""
    return _strength(name) > 0


def _token(kind: str) -> str:
    return f"[redacted: {kind}]"


_TOKEN = re.compile(r"\[redacted: [^\]\n]{1,60}\]")


def _without_tokens(text: str, hits: list[_Hit]) -> list[_Hit]:
    """The hits in order, those that overlap joined, and none that is what an earlier pass left."""
    if not hits:
        return hits
    tokens = [match.span() for match in _TOKEN.finditer(text)] if "[redacted: " in text else []
    joined: list[_Hit] = []
    for hit in sorted(hits, key=lambda one: (one.start, -one.end, not one.recognised)):
        start, end = hit.start, hit.end
        for token_start, token_end in tokens:
            if start < token_end and token_start < end:
                start, end = min(start, token_start), max(end, token_end)
        if (start, end) in tokens:
            continue
        if joined and start < joined[-1].end:
            last = joined[-1]
            best = hit if hit.recognised and not last.recognised else last
            joined[-1] = _Hit(
                last.start, max(end, last.end), best.kind, last.name or hit.name, last.recognised or hit.recognised
            )
        else:
            joined.append(_Hit(start, end, hit.kind, hit.name, hit.recognised))
    return joined


def _detect(text: str, *, code: bool) -> list[_Hit]:
    """Every secret, in no order, possibly overlapping. In `code` a value beside a name counts only in quotes."""
    hits: list[_Hit] = []
    for form in _FORMS:
        if any(literal in text for literal in form.literals):
            hits += _matches(form, text)
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow when lowered, and offsets would shift
        lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    hits += _named(text, lowered, code=code)
    hits += _secret_blocks(text)
    return hits


# ------------------------------------------------------------------------------------------------- known forms


_Check: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Form:
    """A kind of credential with a form of its own. The secret is the group `secret`, or else the whole match."""

    kind: str
    literals: tuple[str, ...]
    pattern: str
    is_real: _Check
    name: str | None = None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled on first use: most runs meet none of these."""
    return re.compile(pattern)


def _matches(form: _Form, text: str) -> Iterator[_Hit]:
    pattern = _compiled(form.pattern)
    group = "secret" if "secret" in pattern.groupindex else 0
    for match in pattern.finditer(text):
        if form.is_real(match[group]):
            yield _Hit(match.start(group), match.end(group), form.kind, form.name, recognised=True)


def _varied(secret: str) -> bool:
    """Not `hf_xxxxxxxx…`, which stands in documentation and templates."""
    return len(set(secret)) >= 8 and not _is_template(secret)


def _no_words(secret: str) -> bool:
    """Nor `sk-your-key-goes-here`, or a name that happens to begin like a key."""
    return _varied(secret) and not _is_wordy(secret)


def _holds_key(block: str) -> bool:
    """Not just the line that begins a private key, quoted in a message."""
    return _compiled(r"[A-Za-z0-9+/]{20}").search(block) is not None


def _random(secret: str) -> bool:
    """The user part of a URL that is a token rather than somebody's name."""
    return len(secret) >= 20 and _is_random(secret)


def _password(secret: str) -> bool:
    return not _is_template(secret) and not _PLACEHOLDER_WORDS.issuperset(_letters(secret))


_BASE64 = r"(?:[A-Za-z0-9+/]|%2[BFbf])"
_PAD = r"(?:=|%3[Dd]){0,2}"
_GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_EQUALS = r"(?:=|%3[Dd])"
_BEFORE = r"(?<![A-Za-z0-9_])"
_AFTER = r"(?![A-Za-z0-9_])"

# Literal beginnings first: a form whose literals are not in the text costs one search for each.
_FORMS = (
    _Form("Anthropic API key", ("sk-ant-",), r"(?<![A-Za-z0-9_-])sk-ant-[A-Za-z0-9_-]{20,}", _no_words),
    _Form("OpenAI API key", ("sk-",), r"(?<![A-Za-z0-9_-])sk-(?!ant-)[A-Za-z0-9_-]{20,}", _no_words),
    _Form("Azure OpenAI key", ("JQQJ99",), r"[A-Za-z0-9]{40,60}JQQJ99[A-Za-z0-9]{20,30}", _varied),
    _Form("Azure AI Search key", ("AzSe",), _BEFORE + r"[A-Za-z0-9]{42}AzSe[A-Za-z0-9]{6}" + _AFTER, _varied),
    _Form("Azure Functions key", ("AzFu",), r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_=%-]{4,12}", _varied),
    _Form("Azure storage account key", ("AccountKey",), rf"AccountKey{_EQUALS}(?P<secret>{_BASE64}{{16,}}{_PAD})", _varied, "AccountKey"),
    _Form("Azure storage account key", ("+ASt",), r"[A-Za-z0-9+/]{70,76}\+ASt[A-Za-z0-9+/]{6}={0,2}", _varied),
    _Form("Azure Cosmos DB key", ("ACDb",), r"[A-Za-z0-9+/]{70,76}ACDb[A-Za-z0-9+/]{6}={0,2}", _varied),
    _Form("Azure Container Registry key", ("+ACR",), r"[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9+/]{6}", _varied),
    _Form("Azure DevOps access token", ("AZDO",), r"[A-Za-z0-9]{70,76}AZDO[A-Za-z0-9]{4}", _varied),
    _Form("shared access key", ("AccessKey",), rf"(?<![A-Za-z])(?:SharedAccess|Access)Key{_EQUALS}(?P<secret>{_BASE64}{{16,}}{_PAD})", _varied, "SharedAccessKey"),
    _Form("shared access signature", ("sig=", "sig%3"), rf"(?<![A-Za-z0-9])sig{_EQUALS}(?P<secret>(?:[A-Za-z0-9+/_-]|%25|%2[BFbf]|%3[Dd]|=){{20,}})", _varied, "sig"),
    _Form("Azure Functions key", ("code=",), r"[?&]code=(?P<secret>(?:[A-Za-z0-9+/_-]|%2[BFbf]|%3[Dd]|=){40,})", _varied, "code"),
    _Form(INSTRUMENTATION_KEY, ("nstrumentation", "NSTRUMENTATION"), rf"(?i)instrumentation_?key[\"']?\]?\s*(?:[:= ]|%3d)\s*[\"']?(?P<secret>{_GUID})", _varied, "InstrumentationKey"),
    _Form("JSON web token", ("eyJ",), _BEFORE + r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*", _varied),
    _Form("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _BEFORE + r"gh[pousr]_[A-Za-z0-9]{30,}", _varied),
    _Form("GitHub token", ("github_pat_",), _BEFORE + r"github_pat_[A-Za-z0-9_]{20,}", _varied),
    _Form("GitLab token", ("glpat-",), _BEFORE + r"glpat-[A-Za-z0-9_-]{20,}", _varied),
    _Form("AWS access key id", ("AKIA", "ASIA"), _BEFORE + r"A(?:KI|SI)A[A-Z0-9]{16}" + _AFTER, _varied),
    _Form("Slack token", ("xox",), _BEFORE + r"xox[abeoprs]-[A-Za-z0-9-]{10,}", _varied),
    _Form("Slack webhook", ("hooks.slack.com/services/",), r"hooks\.slack\.com/services/(?P<secret>T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{10,})", _varied),
    _Form("Google API key", ("AIza",), _BEFORE + r"AIza[A-Za-z0-9_-]{30,}", _varied),
    _Form("Hugging Face token", ("hf_",), _BEFORE + r"hf_[A-Za-z0-9]{30,}", _varied),
    _Form("Databricks token", ("dapi",), _BEFORE + r"dapi[0-9a-f]{32}(?:-\d)?" + _AFTER, _varied),
    _Form("API key", ("gsk_", "tvly-", "pcsk_", "lsv2_", "pplx-", "xai-"), _BEFORE + r"(?:gsk_|tvly-(?:dev-|prod-)?|pcsk_|lsv2_(?:pt|sk)_|pplx-|xai-)[A-Za-z0-9_]{20,}", _no_words),
    _Form("Entra ID client secret", ("Q~",), r"(?<![A-Za-z0-9_.~-])[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{30,36}", _varied),
    _Form("private key", ("PRIVATE KEY",), r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:(?!-----)[\s\S])*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|(?:[A-Za-z0-9+/=\s\"',:-]|\\[rn])*)", _holds_key),
    _Form("password in a URL", ("://",), r"://[^\s/:@'\"<>]{0,200}:(?P<secret>[^\s/@'\"<>]{1,500})@(?=[A-Za-z0-9\[])", _password),
    _Form("token in a URL", ("://",), r"://(?P<secret>[A-Za-z0-9_~.-]{20,200})@(?=[A-Za-z0-9\[])", _random),
    _Form("bearer token", ("earer ",), r"[Bb]earer (?P<secret>[A-Za-z0-9_.~+/=-]{16,})", lambda token: _is_random(token)),
)  # fmt: skip


# --------------------------------------------------------------------------------------- secrets known by their name


_TRIGGERS = ("key", "secret", "token", "pass", "pwd", "sas", "credential", "connection", "conn_str", "_pat")

# After the name: `=`, `:`, `",` (os.getenv("KEY", "…")), an annotation (key: str = "…"), `value:` on the same or
# the next line (name/value pairs), or the blank of `--key …` and `ENV KEY …`.
_REST = re.compile(r"[A-Za-z0-9_.-]{0,40}")
_SEPARATOR = re.compile(
    r"""\\?["'`]?\]?[ \t]*
    (?: %3[Dd]
      | :[ \t]*(?:str|SecretStr|Optional\[str\]|str[ \t]*\|[ \t]*None)[ \t]*=[ \t]*\(?\s*
      | (?: : [ \t]* [|>][+-]? [ \t]* \n [ \t]* )
      | (?: [:=]=? | => ) [ \t]* (?: \(\s* )?
      | ,? \s* \\?["']?value\\?["']? [ \t]* [:=] [ \t]*
      | (?<=["']) , [ \t]* (?=\\?["'])
    )""",
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t]+")
_QUOTED = re.compile(r"""[rRbBuU]{0,2}(?P<quote>\\["']|["'`])(?P<value>(?:(?!(?P=quote))[^\n\\]|\\(?!["'\n])[^\n]){1,4000})(?P=quote)""")
_BARE = re.compile(r"[^\s\"'`<>|(){}\[\],;&\\]{4,4000}")
_LINE_STARTS = frozenset(("", "-", "export", "set", "ENV", "ARG"))
_NAME_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_NO_VALUE = frozenset(("", "$", "<", "{", "[", "#"))
_AFTER_NAME = frozenset("\"'`]\\:=,%")
_LINE_ENDS = frozenset("\r\n")
_MIN_VALUE = 6
_MAX_VALUE = 4000
_EXPRESSION = re.compile(r"[A-Za-z_][\w.]*(?:\(|\[|\.[A-Za-z_]+\b)|(?:await|lambda|not|if|f\"|f')\b")


def _named(text: str, lowered: str, *, code: bool) -> Iterator[_Hit]:
    """Values beside the name of a secret: random ones, and for passwords anything that is no word."""
    seen: set[int] = set()
    for trigger in _TRIGGERS:
        position = lowered.find(trigger)
        while position >= 0:
            rest = _REST.match(text, position + len(trigger))
            end = rest.end() if rest is not None else position + len(trigger)
            if end not in seen:
                seen.add(end)
                hit = _value_after(text, position, end, code=code)
                if hit is not None:
                    yield hit
            position = lowered.find(trigger, position + len(trigger))


def _value_after(text: str, position: int, end: int, *, code: bool) -> _Hit | None:
    """The secret behind the name that ends at `end` and holds a trigger at `position`, if there is one."""
    head = text[max(0, position - 60) : position]
    start = position - len(head) + len(head.rstrip(_NAME_LETTERS))
    following = text[end : end + 3].lstrip()[:1]
    separator = _SEPARATOR.match(text, end) if following in _AFTER_NAME or text[end : end + 1] in _LINE_ENDS else None
    if separator is None:
        if not (text.startswith("--", start) or text[max(0, start - 4) : start] in ("ENV ", "ARG ")):
            return None
        separator = _BLANK.match(text, end)
        if separator is None:
            return None
    value_start = separator.end()
    beginning = text[value_start : value_start + _MIN_VALUE]
    if beginning[:1] in _NO_VALUE or len(beginning) < _MIN_VALUE or " " in beginning or "\n" in beginning:
        return None
    name = text[start:end].lstrip("-.")
    strength = _strength(name)
    if strength == 0:
        return None
    quoted = _QUOTED.match(text, value_start)
    if quoted is not None:
        begin, stop = quoted.span("value")
    elif code:
        return None
    else:
        bare = _bare(text, start, value_start)
        if bare is None:
            return None
        begin, stop = bare
    value = text[begin:stop]
    # in ["password", "username"] the second is no value of the first
    assigned = quoted is not None and "," not in separator[0]
    if not _is_secret(value, strength, assigned=assigned) or set(_letters(value)) <= set(_words(name)):
        return None
    recognised = strength == _STRONG and _is_random(value) and len(value) >= 32
    return _Hit(begin, stop, _kind(name, value), name, recognised)


def _bare(text: str, start: int, begin: int) -> tuple[int, int] | None:
    """A value without quotes: to the end of the line when its name begins the line, else to the next separator."""
    if _EXPRESSION.match(text, begin):
        return None
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip() in _LINE_STARTS:
        line_end = text.find("\n", begin)
        line = text[begin : line_end if line_end >= 0 else len(text)].split(" #", 1)[0].rstrip()
        if " " not in line and len(line) <= _MAX_VALUE:
            return begin, begin + len(line)
    match = _BARE.match(text, begin)
    return match.span() if match is not None else None


_BLOCK_KEY = r"[\"']?[ \t]*:[ \t]*\r?\n"
_BLOCK = r"([ \t]*)[\"']?secrets[\"']?[ \t]*:[ \t]*\r?\n((?:\1[ \t]+\S[^\n]*(?:\n|\Z))+)"
_ENTRY = r"(?m)^[ \t]+[\"']?([\w .-]+?)[\"']?[ \t]*:[ \t]+(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s\"'#|>&*{\[][^\n#]*?))[ \t]*(?:#[^\n]*)?\r?$"


def _secret_blocks(text: str) -> Iterator[_Hit]:
    """The `secrets:` mapping of a custom connection: every literal below it."""
    position = text.find("secrets")
    while position >= 0:
        after = position + len("secrets")
        if _compiled(_BLOCK_KEY).match(text, after):
            block = _compiled(_BLOCK).match(text, text.rfind("\n", 0, position) + 1)
            if block is not None:
                yield from _entries(text, *block.span(2))
        position = text.find("secrets", after)


def _entries(text: str, start: int, end: int) -> Iterator[_Hit]:
    for entry in _compiled(_ENTRY).finditer(text, start, end):
        group = next(number for number in (2, 3, 4) if entry[number] is not None)
        if _is_literal(entry[group]):
            yield _Hit(*entry.span(group), _kind(entry[1], entry[group]), entry[1], recognised=False)


# ------------------------------------------------------------------------------------------------ names and values


_STRONG, _PASSWORD, _WEAK = 3, 2, 1
_PASSWORDS = frozenset(("password", "passwd", "pwd", "passphrase", "passwort"))
_ALONE = frozenset(("secret", "apikey", "sas", "sastoken", "accountkey", "accesskey", "connectionstring", "connstr",
                    "clientsecret", "authtoken", "accesstoken", "apitoken", "subscriptionkey", "encodedconnections",
                    "secretkey", "privatekey"))  # fmt: skip
_BEFORE_KEY = frozenset(("api", "account", "access", "subscription", "storage", "admin", "search", "private", "shared",
                         "secret", "master", "function", "openai", "aoai", "azure", "service", "resource", "license",
                         "sas", "auth", "cosmos", "speech", "serp", "serpapi", "bing", "encryption", "signing", "query",
                         "endpoint", "deployment", "cognitive", "translator"))  # fmt: skip
_BEFORE_TOKEN = frozenset(("access", "auth", "refresh", "bearer", "api", "bot", "hf", "github", "gh", "personal", "id",
                           "sas", "secret", "session", "security", "huggingface", "hub", "slack", "oauth"))  # fmt: skip
# what such a word at the end of a name makes of it: the name, place or measure of a secret, not the secret
_ABOUT = frozenset(("id", "ids", "hash", "sha", "sha1", "sha256", "md5", "digest", "checksum", "fingerprint", "name",
                    "names", "uri", "url", "path", "file", "version", "etag", "type", "types", "count", "length",
                    "size", "limit", "limits", "env", "field", "column", "header", "prefix", "suffix", "expiry",
                    "scope", "scopes", "audience", "provider", "store", "vault", "reference", "ref", "policy", "public",
                    "thumbprint", "usage", "budget", "per", "max", "format", "description", "title", "index",
                    "role", "mode", "label", "required", "enabled", "reader", "officer", "user"))  # fmt: skip


@lru_cache(maxsize=4096)
def _strength(name: str) -> int:
    """0 when a name is not a secret's; otherwise how little it takes of the value to believe that it is one."""
    words = _words(name)
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _SUFFIXES):
        words = words[:-1]
    if not words or words[-1] in _ABOUT or "public" in words:
        return 0
    last = words[-1]
    previous = words[-2] if len(words) > 1 else ""
    if last in _PASSWORDS:
        return _PASSWORD
    if last in _ALONE or (previous, last) in (("connection", "string"), ("conn", "str"), ("encoded", "connections")):
        return _STRONG
    if last == "key":
        return _STRONG if previous in _BEFORE_KEY else _WEAK
    if last == "token":
        return _STRONG if previous in _BEFORE_TOKEN else _WEAK
    if last == "pat":
        return _WEAK
    return _WEAK if last in ("credential", "credentials") else 0


_SUFFIXES = frozenset(("primary", "secondary", "prod", "dev", "test", "value", "eastus", "westeurope", "default"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _words(name: str) -> list[str]:
    """`AZURE_OPENAI_API_KEY`, `azureOpenaiApiKey` and `azure-openai-api-key` as lower-case words."""
    return [word.lower() for word in _WORD.findall(name)]


_TEMPLATE = re.compile(
    r"<[^<>]*>|\$\{|\$\(|\{\{|\{%|%\(|^\{.*\}$|\{[A-Za-z_][\w.]*\}|^\$[A-Za-z_]\w*$|^%[A-Za-z_]\w*%$|^__\w+__$|^@Microsoft\.KeyVault"
    r"|^\[redacted|^\*+$|\*{4,}|^\.{3,}|\.{3}$|…|^#\{|x{6,}|X{6,}|^env(?:iron)?[.:\[]"
    r"|^Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",  # the published key of the storage emulator
)
_PATH = re.compile(r"(?:[a-z][a-z0-9+.-]*://|[.~]{0,2}/|[A-Za-z]:\\)\S*\Z|\S*\.(?:pem|key|pfx|json|ya?ml|txt|env|py|crt|cer)\Z")
_GUID_ONLY = re.compile(_GUID + r"\Z")
_DATE = re.compile(r"20\d{6}\Z")
_HEX = re.compile(r"[0-9a-fA-F]{32,128}\Z")
_PLACEHOLDER_WORDS = frozenset(
    "a an the my your our their some this that api app key keys token tokens secret secrets password passwd pwd pass"
    " value here string str text none null nil true false yes no on off required optional example sample dummy"
    " placeholder insert enter replace put add use fill in with change me changeme to todo tbd of for from env var"
    " variable name user username admin default azure openai aoai open ai search service account access connection"
    " client id type input field unset redacted removed hidden masked omitted it is not be set get and or test demo"
    " provided given actual real own fake guest foo bar baz abc auto custom x xxx n any bool int object resource"
    " subscription endpoint storage bearer basic login credential credentials workspace".split()
)


def _letters(value: str) -> list[str]:
    return [word for word in _words(value) if not word.isdigit()]


def _is_template(value: str) -> bool:
    return _TEMPLATE.search(value) is not None


def _is_literal(value: str) -> bool:
    """Whether a value under a secret's name is that secret, and not a template, a path, a word or a name."""
    stripped = value.strip().strip("\"'")
    if len(stripped) < 3 or _is_template(stripped) or _PATH.match(stripped) or " " in stripped:
        return False
    if _HEX.match(stripped):
        return len(set(stripped)) >= 8
    return not (_is_wordy(stripped) or _PLACEHOLDER_WORDS.issuperset(_letters(stripped)))


def _is_secret(value: str, strength: int, *, assigned: bool) -> bool:
    """Whether the value beside a name of this strength, in running text, is a secret.

    A password that is nothing but letters is believed only where it is `assigned`: quoted, behind `=` or `:`.
    """
    if len(value) < _MIN_VALUE or " " in value or _is_template(value) or _PATH.match(value):
        return False
    if strength == _PASSWORD:
        mixed = any(map(str.isalpha, value)) and not value.isalpha()
        words = _letters(value)
        if mixed and re.fullmatch(r"[A-Za-z_]+(?:[._-][A-Za-z_]+)*", value) is None:
            return bool(words) and not (_PLACEHOLDER_WORDS.issuperset(words) and not any(map(str.isdigit, value)))
        return assigned and len(value) >= 8 and value.isalpha() and not _PLACEHOLDER_WORDS.issuperset(words)
    if _GUID_ONLY.match(value):
        return strength == _STRONG and len(set(value)) > 4
    return len(value) >= 16 and _is_random(value)


def _is_random(value: str) -> bool:
    """Whether no person would have made the text up: letters and digits mixed, and not in words."""
    if _HEX.match(value):
        return len(set(value)) >= 8
    digits = sum(map(str.isdigit, value))
    if digits < 2 and not (len(value) >= 24 and len(set(value)) >= 14):
        return False
    if digits == len(value) or len(set(value)) < 8:
        return False
    return not _is_wordy(value)


def _is_wordy(value: str) -> bool:
    """Whether the text is words with separators and a few numbers: `text-embedding-ada-002`, `MY_API_KEY_2`."""
    pieces = _WORD.findall(value)
    numbers = [piece for piece in pieces if piece.isdigit()]
    if any(len(number) > 5 and not _DATE.match(number) for number in numbers):
        return False
    return not pieces or (len(value) / len(pieces) >= 3.5 and len(numbers) <= max(1, len(value) // 12))


def _kind(name: str, value: str) -> str:
    """What the secret is called in a token and a finding, by its name and form."""
    if "InstrumentationKey=" in value:
        return INSTRUMENTATION_KEY
    words = _words(name)
    joined = " ".join(words)
    for kind, needles in _KINDS:
        if any(needle in joined for needle in needles):
            return kind
    if _HEX.match(value) and len(value) == 32:
        return "Azure AI services key"
    return "secret" if words and words[-1] in ("secret", "credential", "credentials") else "API key"


_KINDS = (
    ("password", ("password", "passwd", "pwd", "passphrase", "passwort")),
    ("client secret", ("client secret", "clientsecret")),
    ("connection string", ("connection string", "connectionstring", "conn str", "connstr", "encoded connections")),
    ("shared access signature", ("sas",)),
    ("AWS secret access key", ("aws secret", "secret access key")),
    ("SerpAPI key", ("serp",)),
    ("Azure AI Search key", ("search",)),
    ("Azure storage account key", ("account key", "accountkey", "storage key")),
    ("Azure OpenAI key", ("azure openai", "aoai", "azure open ai")),
    ("OpenAI API key", ("openai",)),
    ("access token", ("token", "pat")),
)
