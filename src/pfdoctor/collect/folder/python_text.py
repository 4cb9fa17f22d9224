"""The text of a Python file and the places in it: columns are those of characters, not of ast's bytes."""

from __future__ import annotations

import ast
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Placed: TypeAlias = ast.expr | ast.stmt | ast.arg | ast.alias
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class SourceText:
    """The lines of a file, asked by the nodes that ast made of them."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._ascii = text.isascii()

    def source(self, node: ast.expr | None) -> str | None:
        """The text of an expression, on one line."""
        if node is None or node.end_lineno is None or node.end_col_offset is None:
            return None
        start, end = node.lineno - 1, node.end_lineno - 1
        lines = [line.encode() for line in self._lines[start : end + 1]]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return " ".join(" ".join(line.decode(errors="replace").strip() for line in lines).split())

    def _column(self, line: int, offset: int) -> int:
        """The column of a byte offset, both of one line; 1-based."""
        if self._ascii:
            return offset + 1
        return len(self._lines[line - 1].encode()[:offset].decode(errors="replace")) + 1

    def place(self, node: Placed) -> list[int]:
        """Line, column and, on the same line, the column behind its end; 1-based."""
        place = [node.lineno, self._column(node.lineno, node.col_offset)]
        if node.end_lineno == node.lineno and node.end_col_offset is not None:
            place.append(self._column(node.lineno, node.end_col_offset))
        return place

    def name_place(self, node: Function | ast.ClassDef) -> list[int]:
        """The place of the name that a definition gives."""
        column = self._column(node.lineno, node.col_offset)
        at = self._lines[node.lineno - 1].find(node.name, column - 1)
        if at < 0:  # the name stands on a line of its own
            return [node.lineno, column]
        return [node.lineno, at + 1, at + 1 + len(node.name)]
