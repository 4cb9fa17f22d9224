"""Set, remove or rename one value of a YAML text; every other byte stays.

Each edit is proven before it is given back: the new text is read again, and holds the old value with exactly the
intended change, or the edit is refused. What an anchor shares with other places is refused, too: an edit that is meant
for one place would change them all.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence

from pfdoctor.core.model import Json
from pfdoctor.core.plan.step import RefusedError
from pfdoctor.edit import scalar as written
from pfdoctor.edit.tree import Key, Node, parse, walk
from pfdoctor.yaml_document import Dialect, YamlError, read


def value_at(text: str, path: Sequence[Key], dialect: Dialect) -> tuple[bool, Json]:
    """Whether the document holds something at the path, and what, as its consumer reads it."""
    value = _value(text, dialect)
    for key in path:
        if isinstance(value, list) and isinstance(key, int):
            value = dict(enumerate(value))
        if not isinstance(value, dict) or key not in value:
            return False, None
        value = value[key]
    return True, value


def set_value(text: str, path: Sequence[Key], value: Json, dialect: Dialect) -> str:
    """The text with the value at the path; missing mappings on the way to it are created."""
    if same(value_at(text, path, dialect), (True, value)):
        return text
    return _proven(text, _Editor(text).set(list(path), value), dialect, lambda old: _with(old, path, value))


def remove_value(text: str, path: Sequence[Key], dialect: Dialect) -> str:
    """The text without the value at the path, and without its key."""
    if not value_at(text, path, dialect)[0]:
        return text
    return _proven(text, _Editor(text).remove(list(path)), dialect, lambda old: _without(old, path))


def rename_key(text: str, path: Sequence[Key], to: str, dialect: Dialect) -> str:
    """The text with another name for the last key of the path; its value stays where it is."""
    if not value_at(text, path, dialect)[0]:
        return text
    if value_at(text, (*path[:-1], to), dialect)[0]:
        raise RefusedError(f"there is a key {to} beside {path[-1]} already")
    return _proven(text, _Editor(text).rename(list(path), to), dialect, lambda old: _renamed(old, path, to))


def same(left: Json, right: Json) -> bool:
    """Whether two plain values are equal, their types included: 1, 1.0 and true differ."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _value(text: str, dialect: Dialect) -> Json:
    try:
        documents = read(text, dialect)
    except YamlError as error:
        where = f" (line {error.line})" if error.line else ""
        raise RefusedError(f"it cannot be read as YAML: {error.detail}{where}") from error
    if len(documents) != 1:
        raise RefusedError("it holds several YAML documents" if documents else "it is empty")
    return documents[0].value


def _proven(old: str, new: str, dialect: Dialect, change: Callable[[Json], Json]) -> str:
    expected = change(copy.deepcopy(_value(old, dialect)))
    try:
        proven = same(expected, _value(new, dialect))
    except RefusedError:
        proven = False
    if not proven:
        raise RefusedError("it is written in a way that cannot be edited without changing something else")
    return new


def _with(value: Json, path: Sequence[Key], new: Json) -> Json:
    if not path:
        return new
    key, *rest = path
    if isinstance(value, list) and isinstance(key, int):
        below = value[key] if key < len(value) else None
        return [*value[:key], _with(below, rest, new), *value[key + 1 :]]
    value = value if isinstance(value, dict) else {}
    return {**value, key: _with(value.get(key), rest, new)}


def _without(value: Json, path: Sequence[Key]) -> Json:
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return value


def _renamed(value: Json, path: Sequence[Key], to: str) -> Json:
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[to] = parent.pop(path[-1])
    return value


class _Editor:
    """One edit of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root = parse(text)
        self._aliased = {node.anchor for node in walk(self._root) if node.kind == "alias"}
        self._json = self._root.flow and bool(self._root.pairs) and self._root.pairs[0][0].style == '"'

    # ------------------------------------------------------------------------------------------------- the three edits

    def set(self, path: list[Key], value: Json) -> str:
        node = self._root
        for depth, key in enumerate(path):
            self._open(node, path[:depth])
            child = self._child(node, key)
            if child is None or (child.is_empty and depth < len(path) - 1):
                # from here on nothing is there: what is missing is created around the value
                for missing in reversed(path[depth + 1 :]):
                    value = {missing: value}
                return self._add(node, key, value) if child is None else self._replace(node, key, child, value)
            if depth == len(path) - 1:
                for one in walk(child):
                    self._not_shared(one, path)
                return self._replace(node, key, child, value)
            if child.kind == "scalar" and child.style is None and child.value in ("null", "~"):
                for missing in reversed(path[depth + 1 :]):
                    value = {missing: value}
                return self._replace(node, key, child, value)
            node = child
        raise RefusedError("the whole document is not one value to set")

    def remove(self, path: list[Key]) -> str:
        parent = self._descend(path)
        if parent.kind == "sequence":
            return self._remove_item(parent, path)
        pair = self._own_pair(parent, path)
        for node in walk(pair[1]):
            self._not_shared(node, path)
        index = next(at for at, one in enumerate(parent.pairs) if one is pair)
        if len(parent.pairs) == 1:
            if len(path) == 1:
                raise RefusedError(f"{path[-1]} is all that the document holds")
            return self.set(path[:-1], {})
        if parent.flow:
            return self._cut_between([(key.start, value.end) for key, value in parent.pairs], index)
        if not self._starts_line(pair[0].start):
            following = parent.pairs[index + 1][0].start
            return self._text[: pair[0].start] + self._text[following:]
        return self._cut_lines(pair[0].start, max(pair[0].end, pair[1].end))

    def rename(self, path: list[Key], to: str) -> str:
        key, _ = self._own_pair(self._descend(path), path)
        if key.anchor is not None:
            raise RefusedError(f"the key {path[-1]} bears an anchor")
        name = written.scalar(to, quote=key.style, bare=not self._json)
        return self._text[: key.start] + name + self._text[key.end :]

    # ----------------------------------------------------------------------------------------------------- finding

    def _descend(self, path: list[Key]) -> Node:
        """The collection that holds the last key of the path."""
        node = self._root
        for depth, key in enumerate(path[:-1]):
            self._open(node, path[:depth])
            child = self._child(node, key)
            if child is None:
                raise RefusedError(f"{_dotted(path[: depth + 1])} comes from a merge (<<)")
            node = child
        self._open(node, path[:-1])
        return node

    def _open(self, node: Node, path: Sequence[Key]) -> None:
        """Refuses a node inside of which nothing may be changed."""
        name = _dotted(path) or "the document"
        if node.kind == "alias":
            raise RefusedError(f"{name} is an alias of &{node.anchor}: an edit would change every place that uses it")
        if node.kind == "scalar":
            raise RefusedError(f"{name} is a text or number (line {self._line(node.start)}), not a mapping")
        self._not_shared(node, path)

    def _not_shared(self, node: Node, path: Sequence[Key]) -> None:
        if node.kind != "alias" and node.anchor is not None and node.anchor in self._aliased:
            raise RefusedError(
                f"{_dotted(path) or 'the document'} bears the anchor &{node.anchor} (line {self._line(node.start)}): "
                "other places use it, and the edit would change them, too"
            )

    def _child(self, node: Node, key: Key) -> Node | None:
        if node.kind == "sequence":
            if not isinstance(key, int) or key > len(node.items):
                raise RefusedError(f"there is no element {key}")
            return node.items[key] if key < len(node.items) else None
        if sum(1 for one, _ in node.pairs if one.kind == "scalar" and one.value == key) > 1:
            raise RefusedError(f"the key {key} appears twice")
        pair = node.pair(key)
        if pair is None:
            return None
        return pair[1]

    def _own_pair(self, parent: Node, path: list[Key]) -> tuple[Node, Node]:
        self._child(parent, path[-1])
        pair = parent.pair(path[-1])
        if pair is None:
            raise RefusedError(f"{_dotted(path)} comes from a merge (<<)")
        return pair

    # ----------------------------------------------------------------------------------------------------- changing

    def _replace(self, parent: Node, key: Key, child: Node, value: Json) -> str:
        text = self._text
        kept = f"&{child.anchor} " if child.anchor is not None and child.kind != "alias" else ""
        quote = child.style if child.style in ("'", '"') else None
        if parent.flow or parent.kind == "sequence":
            if child.is_block:
                raise RefusedError(f"the element {key} is a mapping or list on lines of its own")
            new = self._flow(value, quote)
            blank = " " if child.is_empty and text[child.start - 1 : child.start] == ":" else ""
            return text[: child.start] + blank + kept + new + text[child.end :]
        own = parent.pair(key)
        if own is None:
            raise RefusedError(f"{key} comes from a merge (<<)")
        colon = text.index(":", own[0].end) + 1
        nested = isinstance(value, dict | list) and bool(value) and not (child.flow and child.end > child.start)
        if nested or child.is_block or child.is_empty:
            indent = self._column(parent.pairs[0][0].start)
            below = written.block(value, indent, self._step(), self._newline())
            anchor = f" {kept.rstrip()}" if kept else ""
            if child.is_block:
                return text[:colon] + anchor + below + text[child.end :]
            # a comment behind the old value stays on the line of the key
            line_end = self._line_end(child.end)
            behind = text[child.end : line_end].rstrip() if not child.is_empty else text[colon:line_end].rstrip()
            if nested:
                return text[:colon] + anchor + behind + below + text[line_end:]
            return text[:colon] + anchor + below + (behind and f" {behind.lstrip()}") + text[line_end:]
        return text[: child.start] + kept + self._flow(value, quote) + text[child.end :]

    def _flow(self, value: Json, quote: str | None = None) -> str:
        if isinstance(value, str):
            return written.scalar(value, quote=quote, bare=not self._json)
        return written.flow(value, bare=not self._json)

    def _add(self, node: Node, key: Key, value: Json) -> str:
        """The value under a new last key of the collection."""
        if node.kind == "sequence":
            return self._append(node, value)
        entry = f"{written.scalar(key, bare=not self._json)}: {self._flow(value)}"
        if node.flow:
            return self._add_in_brackets(node, entry, [pair for pair, _ in node.pairs], node.pairs)
        last = max(node.pairs[-1][0].end, node.pairs[-1][1].end)
        indent = self._column(node.pairs[0][0].start)
        newline = self._newline()
        lines = f"{newline}{' ' * indent}{written.scalar(key)}:{written.block(value, indent, self._step(), newline)}"
        end = self._line_end(last)
        return self._text[:end] + lines + self._text[end:]

    def _append(self, node: Node, value: Json) -> str:
        if node.flow:
            return self._add_in_brackets(node, self._flow(value), node.items, [(one, one) for one in node.items])
        dash = self._dash(node.items[0])
        end = self._line_end(node.items[-1].end)
        line = f"{self._newline()}{' ' * self._column(dash)}- {self._flow(value)}"
        return self._text[:end] + line + self._text[end:]

    def _add_in_brackets(self, node: Node, entry: str, starts: list[Node], spans: list[tuple[Node, Node]]) -> str:
        text = self._text
        if not spans:
            return text[: node.start] + self._opening(node) + entry + text[node.end - 1 :]
        last = max(spans[-1][0].end, spans[-1][1].end)
        apart = ", "
        if self._starts_line(starts[-1].start):
            # one entry a line: so is the new one
            apart = f",{self._newline()}{' ' * self._column(starts[-1].start)}"
        return text[:last] + apart + entry + text[last:]

    def _opening(self, node: Node) -> str:
        """The bracket of an empty collection, with its anchor or tag."""
        return self._text[node.start : node.end - 1].rstrip()

    def _remove_item(self, parent: Node, path: list[Key]) -> str:
        index = path[-1]
        if not isinstance(index, int):
            raise RefusedError(f"{_dotted(path)} is no element of a list")
        item = parent.items[index]
        for node in walk(item):
            self._not_shared(node, path)
        if len(parent.items) == 1:
            return self.set(path[:-1], [])
        if parent.flow:
            return self._cut_between([(one.start, one.end) for one in parent.items], index)
        dash = self._dash(item)
        if not self._starts_line(dash):
            raise RefusedError("the element shares its line with what is around it")
        return self._cut_lines(dash, item.end)

    def _cut_between(self, spans: list[tuple[int, int]], index: int) -> str:
        start, end = (spans[index][0], spans[index + 1][0]) if index + 1 < len(spans) else (spans[-2][1], spans[-1][1])
        return self._text[:start] + self._text[end:]

    def _cut_lines(self, start: int, end: int) -> str:
        """The text without the whole lines from the one of `start` to the one of `end`."""
        text = self._text
        first = start - self._column(start)
        after = self._line_end(end)
        if after < len(text):
            return text[:first] + text[after + (2 if text.startswith("\r\n", after) else 1) :]
        # the last line, without an end of its own: the one before it ends the file now
        return text[:first].removesuffix("\n").removesuffix("\r")

    # ------------------------------------------------------------------------------------------------------- lines

    def _line_end(self, index: int) -> int:
        ends = [at for end in ("\n", "\r") if (at := self._text.find(end, index)) >= 0]
        return min(ends, default=len(self._text))

    def _column(self, index: int) -> int:
        return index - 1 - max(self._text.rfind("\n", 0, index), self._text.rfind("\r", 0, index))

    def _line(self, index: int) -> int:
        return self._text.count("\n", 0, index) + 1

    def _starts_line(self, index: int) -> bool:
        return not self._text[index - self._column(index) : index].strip()

    def _dash(self, item: Node) -> int:
        return self._text.rindex("-", 0, item.start) if not item.is_empty else self._text.rindex("-", 0, item.start + 1)

    def _newline(self) -> str:
        at = self._text.find("\n")
        return "\r\n" if at > 0 and self._text[at - 1] == "\r" else "\n"

    def _step(self) -> int:
        """How far the document indents a mapping inside a mapping; two where it has none."""
        for node in walk(self._root):
            if node.kind == "mapping" and not node.flow:
                for key, value in node.pairs:
                    if value.kind == "mapping" and not value.flow and value.pairs:
                        return self._column(value.pairs[0][0].start) - self._column(key.start)
        return 2


def _dotted(path: Sequence[Key]) -> str:
    return ".".join(map(str, path))
