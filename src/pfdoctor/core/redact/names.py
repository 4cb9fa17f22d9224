"""What names and values say: whether a name is that of a secret, and whether a value could be one."""

from __future__ import annotations

import re
from functools import lru_cache

from pfdoctor.core.pattern import Pattern

INSTRUMENTATION_KEY = "Application Insights instrumentation key"
"""The one kind that only lets others write telemetry, not read anything."""

MIN_VALUE = 6
"""Shorter values beside a secret's name are believed nowhere: they are `none`, `null`, `test`."""

GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


STRONG, PASSWORD, _WEAK = 3, 2, 1
_PASSWORDS = _set("password passwd pwd pass passphrase passwort")
_ALONE = _set(
    "secret apikey sas sastoken accountkey accesskey connectionstring connstr clientsecret authtoken "
    "accesstoken apitoken subscriptionkey encodedconnections secretkey privatekey"
)
_BEFORE_KEY = _set(
    "api account access subscription storage admin search private shared secret master function openai "
    "aoai azure service resource license sas auth cosmos speech serp serpapi bing encryption signing "
    "query endpoint deployment cognitive translator"
)
_BEFORE_TOKEN = _set(
    "access auth refresh bearer api bot hf github gh personal id sas secret session security huggingface "
    "hub slack oauth"
)
# what such a word at the end of a name makes of it: the name, place or measure of a secret, not the secret
_ABOUT = _set(
    "id ids hash sha sha1 sha256 md5 digest checksum fingerprint name names uri url path file version "
    "etag type types count length size limit limits env field column header prefix suffix expiry scope "
    "scopes audience provider store vault reference ref policy public thumbprint usage budget per max "
    "format description title index role mode label required enabled reader officer user"
)


@lru_cache(maxsize=4096)
def strength_of(name: str) -> int:
    """0 when a name is not a secret's; otherwise how little it takes of the value to believe that it is one."""
    words = words_of(name)
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _SUFFIXES):
        words = words[:-1]
    if not words or words[-1] in _ABOUT or "public" in words:
        return 0
    last = words[-1]
    previous = words[-2] if len(words) > 1 else ""
    if last in _PASSWORDS:
        return PASSWORD
    if last in _ALONE or (previous, last) in (("connection", "string"), ("conn", "str"), ("encoded", "connections")):
        return STRONG
    if last == "key":
        return STRONG if previous in _BEFORE_KEY else _WEAK
    if last == "token":
        return STRONG if previous in _BEFORE_TOKEN else _WEAK
    if last == "pat":
        return _WEAK
    return _WEAK if last in ("credential", "credentials") else 0


_SUFFIXES = _set("primary secondary prod dev test value eastus westeurope default")
_WORD = Pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words_of(name: str) -> list[str]:
    """`AZURE_OPENAI_API_KEY`, `azureOpenaiApiKey` and `azure-openai-api-key` as lower-case words."""
    return [word.lower() for word in _WORD.findall(name)]


_TEMPLATE = Pattern(
    r"<[^<>]*>|\$\{|\$\(|\{\{|\{%|%\(|^\{.*\}$|\{[A-Za-z_][\w.]*\}|^\$[A-Za-z_]\w*$|^%[A-Za-z_]\w*%$|^__\w+__$|^@Microsoft\.KeyVault"
    r"|^\[redacted|^\*+$|\*{4,}|^\.{3,}|\.{3}$|…|^#\{|x{6,}|X{6,}|^env(?:iron)?[.:\[]"
    r"|^Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",  # the published key of the storage emulator
)
_PATH = Pattern(
    r"(?:[a-z][a-z0-9+.-]*://|[.~]{0,2}/|[A-Za-z]:\\)\S*\Z|\S*\.(?:pem|key|pfx|json|ya?ml|txt|env|py|crt|cer)\Z"
)
_ONE_WORD = Pattern(r"[^\s_.-]+\Z")
_GUID_ONLY = Pattern(GUID + r"\Z")
_DATE = Pattern(r"20\d{6}\Z")
_HEX = Pattern(r"[0-9a-fA-F]{32,128}\Z")
PLACEHOLDER_WORDS = _set(
    "a an the my your our their some this that api app key keys token tokens secret secrets password "
    "passwd pwd pass value here string str text none null nil true false yes no on off required optional "
    "example sample dummy placeholder insert enter replace put add use fill in with change me changeme to "
    "todo tbd of for from env var variable name user username admin default azure openai aoai open ai "
    "search service account access connection client id type input field unset redacted removed hidden "
    "masked omitted it is not be set get and or test demo provided given actual real own fake guest foo "
    "bar baz abc auto custom x xxx n any bool int object resource subscription endpoint storage bearer "
    "basic login credential credentials workspace sas"
)


def letters_of(value: str) -> list[str]:
    return [word for word in words_of(value) if not word.isdigit()]


def is_template(value: str) -> bool:
    return _TEMPLATE.search(value) is not None


def is_literal(value: str, strength: int = STRONG) -> bool:
    """Whether a value under a name of this strength is the secret, and not a template, a path, a word or a name."""
    stripped = value.strip().strip("\"'")
    if len(stripped) < 3 or is_template(stripped) or _is_path(stripped):
        return False
    if " " in stripped:
        return strength == PASSWORD and _has_mixed_word(stripped)
    if _HEX.match(stripped):
        return len(set(stripped)) >= 8
    # my-connection-2 is a name and apikey a word; testkey123 is neither
    if strength > _WEAK and _has_digit(stripped) and _ONE_WORD.match(stripped):
        return True
    return not (is_wordy(stripped) or PLACEHOLDER_WORDS.issuperset(letters_of(stripped)))


def is_secret(value: str, strength: int, *, assigned: bool, broad: bool) -> bool:
    """Whether the value beside a name of this strength, in running text, is a secret.

    A password that is nothing but letters is believed only where it is `assigned`: quoted, behind `=` or `:`.
    `broad` rather takes an example for a secret than the other way round.
    """
    if len(value) < MIN_VALUE or is_template(value) or _is_path(value):
        return False
    if " " in value:
        # a sentence about a password is none
        return broad and assigned and strength == PASSWORD and _has_mixed_word(value)
    if broad and strength > _WEAK and len(value) >= 8 and _has_digit(value) and is_literal(value, strength):
        return True
    if strength == PASSWORD:
        mixed = any(map(str.isalpha, value)) and not value.isalpha()
        words = letters_of(value)
        if mixed and re.fullmatch(r"[A-Za-z_]+(?:[._-][A-Za-z_]+)*", value) is None:
            return bool(words) and not (PLACEHOLDER_WORDS.issuperset(words) and not _has_digit(value))
        return assigned and len(value) >= 8 and value.isalpha() and not PLACEHOLDER_WORDS.issuperset(words)
    if _GUID_ONLY.match(value):
        return strength == STRONG and len(set(value)) > 4
    return len(value) >= 16 and is_random(value)


def _is_path(value: str) -> bool:
    """A path, an address or the name of a file; but Base64 may begin with a slash, too."""
    if _PATH.match(value) is None:
        return False
    return not (value.startswith("/") and value.count("/") < 4 and len(value) >= 32 and is_random(value))


def _has_digit(value: str) -> bool:
    return any(map(str.isdigit, value))


def _has_mixed_word(value: str) -> bool:
    """Whether a text with blanks holds a word of letters and digits, as a sentence seldom does."""
    return any(_has_digit(word) and any(map(str.isalpha, word)) for word in value.split())


def is_random(value: str) -> bool:
    """Whether no person would have made the text up: letters and digits mixed, and not in words."""
    if _HEX.match(value):
        return len(set(value)) >= 8
    digits = sum(map(str.isdigit, value))
    if digits < 2 and not (len(value) >= 24 and len(set(value)) >= 14):
        return False
    if digits == len(value) or len(set(value)) < 8:
        return False
    return not is_wordy(value)


def is_wordy(value: str) -> bool:
    """Whether the text is words with separators and a few numbers: `text-embedding-ada-002`, `MY_API_KEY_2`."""
    pieces = _WORD.findall(value)
    numbers = [piece for piece in pieces if piece.isdigit()]
    if any(len(number) > 5 and not _DATE.match(number) for number in numbers):
        return False
    return not pieces or (len(value) / len(pieces) >= 3.5 and len(numbers) <= max(1, len(value) // 12))


def kind_of(name: str, value: str) -> str:
    """What the secret is called in a token and a finding, by its name and form."""
    if "InstrumentationKey=" in value:
        return INSTRUMENTATION_KEY
    words = words_of(name)
    joined = " ".join(words)
    for kind, needles in _KINDS:
        if any(needle in joined for needle in needles):
            return kind
    if _HEX.match(value) and len(value) == 32:
        return "Azure AI services key"
    return "secret" if words and words[-1] in ("secret", "credential", "credentials") else "API key"


_KINDS = (
    ("password", ("pass", "pwd")),
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
