"""Which Python versions accept a file, and its syntax tree, whatever Python runs pfdoctor.

The running interpreter (3.10 to 3.13) parses with its own grammar, so what it says about newer or older syntax differs
from machine to machine. Therefore: every construct that came after 3.10 is rewritten, in place and without moving any
other character, into an older one with the same names and calls in it, and what is left is parsed as 3.10. Only files
that may hold such a construct pay for the rewriting.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import NamedTuple

from pfdoctor.collect.folder.older_syntax import Findings, Rewriter, only_plain_format_strings
from pfdoctor.core.pattern import Pattern

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
MAX_CHARACTERS = 2_000_000


class Parsed(NamedTuple):
    """`tree` is None when no version accepts the text or it could not be parsed here; `accepted_by` is None in the
    latter case (`code` is then too-large or too-deep). `message` says what keeps some version from accepting it;
    `line` and `column` (1-based) say where. `text` is what the tree's positions refer to."""

    text: str
    tree: ast.Module | None = None
    accepted_by: tuple[str, ...] | None = ()
    message: str | None = None
    line: int | None = None
    column: int | None = None
    code: str | None = None


def parse(text: str) -> Parsed:
    """The tree of the text and the versions that accept it. Never raises."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_CHARACTERS:
        return Parsed(text, accepted_by=None, code="too-large", message=f"{len(text):,} characters")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return Parsed(text, message="source code cannot contain null bytes", line=line)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        return Parsed(text, message="holds a character that UTF-8 cannot encode", line=line)
    try:
        return _parse(text)
    except (RecursionError, MemoryError):
        return Parsed(text, accepted_by=None, code="too-deep", message="nested too deeply to be parsed")


def _parse(text: str) -> Parsed:
    found = Findings()
    fault: SyntaxError | None = None
    tree: ast.Module | None = None
    if only_plain_format_strings(text):
        tree, fault = _tree(text)
    if tree is None:
        older = Rewriter(text, found).rewritten()
        if older is not None and (older != text or fault is None):
            tree, fault = _tree(older)
        elif fault is None:
            # a doubtful format string that cannot even be delimited: every version refuses it, each in its own words
            return Parsed(text, message=found.fault or "invalid f-string", line=found.line)
    if tree is None:
        return _refused(text, fault)
    _look_for_newer(tree, text, found)
    fault = _compile_fault(tree)
    if fault is not None:
        return _refused(text, fault)
    accepted = tuple(version for version in VERSIONS if found.since <= _minor(version) <= found.until)
    message = found.message if len(accepted) < len(VERSIONS) else None
    return Parsed(text, tree, accepted, message, found.line if message else None)


def _minor(version: str) -> int:
    return int(version[2:])


def _tree(text: str) -> tuple[ast.Module | None, SyntaxError | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, feature_version=(3, 10)), None
    except SyntaxError as fault:
        return None, fault
    except ValueError as error:  # an integer of more than 4,300 digits
        return None, SyntaxError(str(error))


def _compile_fault(tree: ast.Module) -> SyntaxError | None:
    """What only the compiler refuses, such as `return` outside a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, "<flow>", "exec", dont_inherit=True)
    except SyntaxError as fault:
        # The one refusal of the compiler that depends on the version (3.11 allows it inside another comprehension).
        if not fault.msg.startswith("asynchronous comprehension outside"):
            return fault
    return None


def _refused(text: str, fault: SyntaxError | None) -> Parsed:
    if fault is None:
        return Parsed(text, message="invalid syntax")
    return Parsed(text, message=fault.msg, line=fault.lineno, column=_column(text, fault))


def _column(text: str, fault: SyntaxError) -> int | None:
    lines = text.split("\n")
    if fault.lineno is None or fault.offset is None or not 0 < fault.lineno <= len(lines):
        return None
    return max(1, min(fault.offset, len(lines[fault.lineno - 1]) + 1))


_MAYBE_NEWER = Pattern(r"^[ \t]*match\b|:=|[\[,]\s*\*|:\s*\*", re.MULTILINE)


def _look_for_newer(tree: ast.Module, text: str, found: Findings) -> None:
    """What the rewriting leaves alone because every interpreter from 3.10 on parses it, and star expressions."""
    if not _MAYBE_NEWER.search(text):
        return
    lines: list[str] | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Match):
            found.needs(10, "a match statement", node.lineno)
        elif isinstance(node, ast.arg) and isinstance(node.annotation, ast.Starred):
            found.needs(11, "a starred annotation", node.lineno)
        elif isinstance(node, ast.Subscript):
            index = node.slice
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            for part in parts:
                if isinstance(part, ast.NamedExpr):
                    lines = lines or text.split("\n")
                    before = lines[part.lineno - 1].encode()[: part.col_offset].rstrip()
                    if not before.endswith(b"("):
                        found.needs(10, "an assignment expression without parentheses in an index", part.lineno)
                elif isinstance(part, ast.Starred) and not _is_parenthesised(index):
                    found.needs(11, "a starred expression in an index", part.lineno)


def _is_parenthesised(index: ast.expr) -> bool:
    """Whether the index is a tuple written with parentheses: then it begins before its first element."""
    if not isinstance(index, ast.Tuple):
        return False
    first = index.elts[0]
    return (index.lineno, index.col_offset) < (first.lineno, first.col_offset)
