"""Python source of newer versions rewritten as that of 3.10, in place: no other character moves.

What is rewritten, and what only older versions accept, is noted. Format strings are the larger part of it: from 3.12 on
their braces may hold what earlier versions refuse.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import NamedTuple

from pfdoctor.core.pattern import Pattern

NEWEST = 13
"""The newest minor version that is known."""


class Findings:
    """The constructs found that not every version has; the most demanding one speaks."""

    def __init__(self) -> None:
        self.since = 9
        self.until = NEWEST
        self.message: str | None = None
        self.line: int | None = None
        self.fault: str | None = None

    def needs(self, minor: int, what: str, line: int) -> None:
        if minor > self.since:
            self.since, self.message, self.line = minor, f"{what} needs Python 3.{minor}", line

    def ends(self, minor: int, what: str, line: int) -> None:
        if minor < self.until:
            self.until = minor
            self.message, self.line = f"{what} is accepted up to Python 3.{minor} only", line


_FORMAT_STRING = Pattern(r"(?:\b|(?<=\d))(?:[fF][rR]?|[rR][fF])['\"]")
_OLD_STRING = Pattern(
    r"""\#[^\n]*
    | (?P<prefix>[rRbBuUfF]{0,2})
      (?: \"\"\"(?P<a>(?:[^"\\]|\\.|"(?!""))*)\"\"\" | '''(?P<b>(?:[^'\\]|\\.|'(?!''))*)'''
        | "(?P<c>(?:[^"\\\n]|\\.)*)" | '(?P<d>(?:[^'\\\n]|\\.)*)' )
    | (?P<lone>["'])""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_FIELDS = Pattern(r"(?:[^{}]|\{[^{}\\#\n]*\})*")
_NAMED_ESCAPE = Pattern(r"\\N\{[^{}]*\}")
_TRUNCATED_ESCAPE = Pattern(
    r"\\(?:N|x(?![0-9a-fA-F]{2})|u(?![0-9a-fA-F]{4})|U(?!000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4}))"
)


def only_plain_format_strings(text: str) -> bool:
    """Whether the text has no format string that versions might read differently. False costs time, not truth."""
    if not _FORMAT_STRING.search(text):
        return True
    for match in _OLD_STRING.finditer(text):
        if match["lone"]:
            return False
        if match["prefix"] and "f" in match["prefix"].lower():
            body = next(part for part in match.group("a", "b", "c", "d") if part is not None)
            if "{" not in body and "}" not in body:
                continue
            plain = _NAMED_ESCAPE.sub("", body).replace("{{", "").replace("}}", "")
            if _PLAIN_FIELDS.fullmatch(plain) is None or " for " in plain:
                return False
    return True


class _UnreadableError(Exception):
    """The text cannot be split into tokens, and no version accepts it."""


_CLOSING = {"(": ")", "[": "]", "{": "}"}
_STRING_START = Pattern(r"([rRbBuUfF]{0,2})(\"\"\"|'''|\"|')")
_STRING_END = {
    '"""': Pattern(r'(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL),
    "'''": Pattern(r"(?:[^'\\]|\\.|'(?!''))*'''", re.DOTALL),
    '"': Pattern(r'(?:[^"\\\n]|\\.)*"', re.DOTALL),
    "'": Pattern(r"(?:[^'\\\n]|\\.)*'", re.DOTALL),
}
_LEXEME = Pattern(r"(?P<space>[ \t\f]+|\\\n)|(?P<comment>\#[^\n]*)|(?P<word>\w+)|(?P<op>\*\*|[=!<>:]=|->|.)", re.DOTALL)
_DEBUG = Pattern(r"=\s*(?=[}!:])")
_CONVERSION = Pattern(r"![rsa]\s*")

_OWN_QUOTES = "an f-string that holds its own kind of quotes"
_BACKSLASH = "a backslash in the braces of an f-string"


class _Token(NamedTuple):
    """A word (names, keywords and numbers), an op or a string."""

    kind: str
    text: str
    start: int
    end: int
    format: _FormatString | None = None


class _FormatString:
    """What a format string holds and uses; positions are those of the text.

    `fields` are the spans of the expressions between the braces, those in format specs included; `newer` is what in it
    needs 3.12, if anything; `generator` whether an expression is a generator without parentheses, which only 3.11 and
    older accept.
    """

    def __init__(self, start: int, body: int) -> None:
        self.start = start
        self.body = body
        self.end = 0
        self.fields: list[tuple[int, int]] = []
        self.newer: str | None = None
        self.generator = False


class Rewriter:
    """Turns syntax of 3.11 and later into syntax of 3.10 without moving anything else, and notes what it met."""

    def __init__(self, text: str, found: Findings) -> None:
        self._text = text
        self._found = found
        self._characters = list(text)

    def rewritten(self) -> str | None:
        """The older text; None when the text cannot even be split into tokens (`found.fault` says why)."""
        try:
            self._process(0, len(self._text))
        except _UnreadableError as why:
            self._found.fault = str(why)
            return None
        return "".join(self._characters)

    def _process(self, start: int, end: int) -> None:
        tokens = self._scan(start, end)
        self._statements(tokens)
        self._strings(tokens)

    def _scan(self, position: int, end: int) -> list[_Token]:
        tokens = []
        while position < end:
            start = _STRING_START.match(self._text, position)
            if start is not None:
                one = self._format_string(start) if "f" in start[1].lower() else None
                stop = one.end if one else self._string_end(start)
                tokens.append(_Token("string", start[0], position, stop, one))
                position = stop
                continue
            lexeme = self._lexeme(position)
            if lexeme.lastgroup in {"word", "op"} and lexeme[0] != "\n":
                tokens.append(_Token(lexeme.lastgroup, lexeme[0], position, lexeme.end()))
            position = lexeme.end()
        return tokens

    def _lexeme(self, position: int) -> re.Match[str]:
        lexeme = _LEXEME.match(self._text, position)
        if lexeme is None:
            raise self._refuse("invalid syntax", position)
        return lexeme

    def _string_end(self, start: re.Match[str]) -> int:
        closing = _STRING_END[start[2]].match(self._text, start.end())
        if closing is None:
            raise self._refuse("unterminated string literal", start.start())
        return closing.end()

    def _refuse(self, message: str, position: int) -> _UnreadableError:
        self._found.line = self._line(position)
        return _UnreadableError(message)

    def _line(self, position: int) -> int:
        return self._text.count("\n", 0, position) + 1

    # -- reading a format string as 3.12 does

    def _format_string(self, start: re.Match[str]) -> _FormatString:
        one = _FormatString(start.start(), start.end())
        one.end = self._literal(one, start.end(), start, depth=0) + len(start[2])
        return one

    def _literal(self, one: _FormatString, position: int, start: re.Match[str], *, depth: int) -> int:
        """Reads text that may hold fields; returns where its end stands: the quote or, of a format spec, the brace."""
        text, quote, raw = self._text, start[2], "r" in start[1].lower()
        while position < len(text) and not (text[position] == "\n" and len(quote) == 1):
            char = text[position]
            if text.startswith(quote, position):
                if depth:
                    raise self._refuse("f-string: expecting '}'", position)
                return position
            if char == "\\":
                named = None if raw else self._escape(position)
                braced = text[position + 1 : position + 2] in {"{", "}"}
                position = named.end() if named else position + (1 if braced else 2)
            elif char in "{}" and not depth and text.startswith(char * 2, position):
                position += 2
            elif char == "{":
                position = self._field(one, position + 1, start, depth=depth + 1)
            elif char == "}":
                if not depth:
                    raise self._refuse("f-string: single '}' is not allowed", position)
                return position
            else:
                position += 1
        raise self._refuse("unterminated f-string literal", one.start)

    def _escape(self, position: int) -> re.Match[str] | None:
        """The named escape at the position, if it is one; refuses an escape that names no character."""
        named = _NAMED_ESCAPE.match(self._text, position)
        if named is not None:
            try:
                unicodedata.lookup(named[0][3:-1])
            except KeyError:
                raise self._refuse(f"unknown Unicode character name in {named[0]}", position) from None
        elif _TRUNCATED_ESCAPE.match(self._text, position):
            raise self._refuse("truncated escape in an f-string", position)
        return named

    def _field(self, one: _FormatString, position: int, start: re.Match[str], *, depth: int) -> int:
        """Reads a field from behind its brace; returns the position behind the closing one."""
        text, begin = self._text, position
        if depth > 2:
            one.newer = one.newer or "a format spec nested this deeply"
            if depth > 100:
                raise self._refuse("f-string: expressions nested too deeply", position)
        position = self._expression(one, position, start[2])
        if not text[begin:position].strip():
            raise self._refuse("f-string: valid expression required before '}'", begin)
        one.fields.append((begin, position))
        debug = _DEBUG.match(text, position)
        position = debug.end() if debug else position
        conversion = _CONVERSION.match(text, position)
        position = conversion.end() if conversion else position
        if text[position : position + 1] == ":":
            position = self._literal(one, position + 1, start, depth=depth)
        if text[position : position + 1] != "}":
            raise self._refuse("f-string: expecting '}'", position)
        return position + 1

    def _expression(self, one: _FormatString, position: int, quote: str) -> int:
        """Where the expression of a field ends: at the `=`, `!`, `:` or `}` behind it."""
        text, begin, closers = self._text, position, ""
        while position < len(text):
            start = _STRING_START.match(text, position)
            if start is not None:
                position = self._inner_string(one, start, quote)
                continue
            lexeme = self._lexeme(position)
            piece = lexeme[0]
            self._note_newer(one, lexeme, quote)
            if piece in _CLOSING:
                closers += _CLOSING[piece]
            elif closers:
                if piece == closers[-1]:
                    closers = closers[:-1]
            elif piece in {"}", ":", ":=", "!"} or (piece == "=" and _DEBUG.match(text, position)):
                return position
            elif piece in {")", "]", "="} or (piece == "**" and not text[begin:position].strip()):
                break
            elif piece == "for":
                one.generator = True
            position = lexeme.end()
        raise self._refuse("f-string: invalid syntax", begin)

    @staticmethod
    def _note_newer(one: _FormatString, lexeme: re.Match[str], quote: str) -> None:
        if lexeme.lastgroup == "comment":
            one.newer = one.newer or "a comment in the braces of an f-string"
        elif lexeme[0].startswith("\\"):
            one.newer = one.newer or _BACKSLASH
        elif lexeme[0] == "\n" and len(quote) == 1:
            one.newer = one.newer or "a line break in the braces of an f-string"

    def _inner_string(self, one: _FormatString, start: re.Match[str], quote: str) -> int:
        """Reads a string inside the braces of a format string; returns where it ends."""
        nested = self._format_string(start) if "f" in start[1].lower() else None
        end = nested.end if nested else self._string_end(start)
        written = self._text[start.start() : end]
        if quote in written:
            one.newer = one.newer or _OWN_QUOTES
        elif "\\" in written:
            one.newer = one.newer or _BACKSLASH
        elif nested and nested.newer:
            one.newer = one.newer or nested.newer
        return end

    # -- rewriting

    def _put(self, position: int, characters: str) -> None:
        self._characters[position : position + len(characters)] = characters

    def _blank(self, start: int, end: int) -> None:
        """Spaces over a span; line breaks stay, and the backslash that continues a line."""
        for position in range(start, end):
            continued = self._text[position] == "\\" and self._text[position + 1 : position + 2] == "\n"
            if self._text[position] != "\n" and not continued:
                self._characters[position] = " "

    def _statements(self, tokens: list[_Token]) -> None:
        for index, token in enumerate(tokens):
            if token.kind == "word":
                self._statement(tokens, index)
            elif token.text == "[" and index and _is_operand(tokens[index - 1]):
                self._index(tokens, index)
            elif (
                token.text == "*"
                and _texts(tokens, index + 2, index + 4) == [":", "*"]
                and _texts(tokens, index - 1, index) in (["("], [","])
            ):
                self._found.needs(11, "a starred annotation", self._line(token.start))
                self._put(tokens[index + 3].start, " ")

    def _statement(self, tokens: list[_Token], index: int) -> None:
        token = tokens[index]
        following = _texts(tokens, index + 1, index + 3)
        if len(following) < 2 or token.text not in {"except", "def", "class", "type"}:
            return
        if token.text == "except":
            if following[0] == "*" and following[1] != ":":
                self._found.needs(11, "except*", self._line(token.start))
                self._put(tokens[index + 1].start, " ")
        elif tokens[index + 1].kind != "word" or keyword.iskeyword(following[0]):
            return
        elif token.text in {"def", "class"}:
            if following[1] == "[":
                self._type_parameters(tokens, index + 2, token.text)
        elif following[1] == "=" or (following[1] == "[" and self._type_parameters(tokens, index + 2, "type")):
            self._found.needs(12, "a type statement", self._line(token.start))
            self._put(token.start, following[0].ljust(tokens[index + 1].end - token.start))

    def _type_parameters(self, tokens: list[_Token], opening: int, statement: str) -> bool:
        """Replaces the type parameters whose `[` is at that index by what 3.10 allows there: ( … ) or, in a type
        statement, an index. Both may hold the line breaks."""
        closing = _closing(tokens, opening)
        if closing is None or not _are_type_parameters(tokens[opening + 1 : closing]):
            return False
        behind = _texts(tokens, closing + 1, closing + 2)
        if statement != "class" and behind != ["=" if statement == "type" else "("]:
            return False
        line = self._line(tokens[opening].start)
        self._found.needs(12, "a list of type parameters", line)
        if any(_has_default(part) for part in _parts(tokens[opening + 1 : closing])):
            self._found.needs(13, "a default of a type parameter", line)
        start, end = tokens[opening].start, tokens[closing].start
        self._blank(start, end + 1)
        if statement == "type":
            self._put(start, "[0")
            self._put(end, "]")
        else:
            self._put(start, "(")
            if behind == ["("]:
                self._put(tokens[closing + 1].start, " ")
            else:
                self._put(end, ")")
        return True

    def _index(self, tokens: list[_Token], opening: int) -> None:
        """Takes the stars of `a[*b]` away."""
        closing = _closing(tokens, opening)
        for part in _parts(tokens[opening + 1 : closing]) if closing else ():
            if part and part[0].text == "*":
                self._found.needs(11, "a starred expression in an index", self._line(part[0].start))
                self._put(part[0].start, " ")

    def _strings(self, tokens: list[_Token]) -> None:
        """Rewrites the format strings that not every version reads alike, and the strings that are joined to one."""
        joined = False
        for token in tokens:
            one = token.format
            if token.kind != "string":
                joined = False
            elif one is not None and (one.newer or one.generator or joined):
                if one.newer:
                    self._found.needs(12, one.newer, self._line(one.start))
                if one.generator:
                    what = "a generator expression without parentheses in an f-string"
                    self._found.ends(11, what, self._line(one.start))
                self._as_calls(one, joined=joined)
                joined = True
            elif joined:
                if "b" in token.text.lower():
                    raise self._refuse("cannot mix bytes and nonbytes literals", token.start)
                self._blank(token.start, token.end)
                self._put(token.start, "(")
                self._put(token.end - 1, ")")

    def _as_calls(self, one: _FormatString, *, joined: bool) -> None:
        """`f"a {b!r} {c}"` becomes `''   (b)   (c) `: the same expressions, in calls of a text. The text of triple
        quotes stands in brackets because of its line breaks; joined to another string, it is one more call."""
        triple = self._text.startswith(('"""', "'''"), one.body - 3) and one.body - 3 >= one.start
        position = one.start
        for start, end in sorted(one.fields):
            self._blank(position, start - 1)
            self._put(start - 1, "(")
            self._put(end, ")")
            position = end + 1
            self._process(start, end)
        self._blank(position, one.end)
        if triple:
            self._put(one.start, "(''")
            self._put(one.end - 1, ")")
        else:
            self._put(one.start, "()" if joined else "''")


def _texts(tokens: list[_Token], start: int, end: int) -> list[str]:
    return [token.text for token in tokens[start:end]]


def _is_operand(token: _Token) -> bool:
    if token.kind == "word":
        return not keyword.iskeyword(token.text)
    return token.kind == "string" or token.text in {")", "]", "}"}


def _closing(tokens: list[_Token], opening: int) -> int | None:
    depth = 0
    for index in range(opening, len(tokens)):
        depth += _step(tokens[index])
        if not depth:
            return index
    return None


def _step(token: _Token) -> int:
    return (token.text in _CLOSING) - (token.text in {")", "]", "}"})


def _parts(tokens: list[_Token]) -> list[list[_Token]]:
    """The tokens between the commas that stand in no inner brackets."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += _step(token)
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _are_type_parameters(tokens: list[_Token]) -> bool:
    parts = _parts(tokens)
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    for part in parts:
        texts = [token.text for token in part]
        if texts[:1] in (["*"], ["**"]):
            texts = texts[1:]
        if not texts or not texts[0].isidentifier() or texts[1:2] not in ([], [":"], ["="]):
            return False
    return True


def _has_default(part: list[_Token]) -> bool:
    depth = 0
    for token in part:
        depth += _step(token)
        if token.text == "=" and not depth:
            return True
    return False
