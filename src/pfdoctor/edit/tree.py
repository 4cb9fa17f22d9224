"""A YAML text as a tree of spans: which characters hold which value.

The tree is built from libyaml's events rather than from composed nodes, because an edit has to know where an alias
stands, and composing replaces an alias by what it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from pfdoctor.core.plan.step import RefusedError
from pfdoctor.yaml_document import MAX_BYTES, depth_is_safe

Key: TypeAlias = str | int
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Node:
    """A value and where it stands: `[start, end)` in characters, comments and blank lines behind it left out.

    `kind` is scalar, mapping, sequence or alias; `style` of a scalar is its quote or block indicator, `flow` whether a
    collection is written in brackets. `anchor` is the anchor that it defines or, for an alias, names.
    """

    kind: str
    start: int
    end: int
    anchor: str | None = None
    value: str = ""
    style: str | None = None
    flow: bool = False
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written: the value of `key:`."""
        return self.kind == "scalar" and self.start == self.end

    @property
    def is_block(self) -> bool:
        """Whether it stands on lines of its own rather than between brackets or behind its key."""
        return self.kind in ("mapping", "sequence") and not self.flow

    def children(self) -> Iterator[Node]:
        for key, value in self.pairs:
            yield key
            yield value
        yield from self.items

    def pair(self, key: Key) -> tuple[Node, Node] | None:
        """The mapping's own pair of that key (the last of several), not one that it merges."""
        return next((pair for pair in reversed(self.pairs) if pair[0].kind == "scalar" and pair[0].value == key), None)


def parse(text: str) -> Node:
    """The tree of the text's only document. Raises RefusedError where there is none to edit."""
    if len(text) > MAX_BYTES or not depth_is_safe(text):
        raise RefusedError("it is too large or too deep to edit")
    try:
        return _build(text)
    except yaml.YAMLError as error:
        raise RefusedError("it is not YAML that can be read") from error


def _build(text: str) -> Node:
    root: Node | None = None
    open_nodes: list[tuple[Node, list[Node]]] = []
    documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise RefusedError("it holds several YAML documents")
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
            node = Node(kind, _at(event.start_mark), 0, event.anchor, flow=bool(event.flow_style))
            open_nodes.append((node, []))
        elif isinstance(event, yaml.CollectionEndEvent):
            node, children = open_nodes.pop()
            _close(node, children, _at(event.end_mark))
            root = _add(node, open_nodes)
        elif isinstance(event, yaml.ScalarEvent):
            end = _at(event.end_mark)
            if event.style in ("|", ">"):
                end = _at(event.start_mark) + len(text[_at(event.start_mark) : end].rstrip())
            start = _at(event.start_mark)
            root = _add(Node("scalar", start, end, event.anchor, event.value, event.style or None), open_nodes)
        elif isinstance(event, yaml.AliasEvent):
            root = _add(Node("alias", _at(event.start_mark), _at(event.end_mark), event.anchor), open_nodes)
    if root is None:
        raise RefusedError("it is empty")
    return root


def _at(mark: Any) -> int:
    """The character of a mark; PyYAML's stubs leave open that there is one."""
    return int(mark.index)


def _close(node: Node, children: list[Node], end: int) -> None:
    if node.kind == "mapping":
        node.pairs = list(zip(children[::2], children[1::2], strict=True))
    else:
        node.items = children
    # libyaml ends a block collection where the next thing begins, behind comments that are none of its own
    node.end = end if node.flow or not children else max(children[-1].end, children[-2].end if len(children) > 1 else 0)


def _add(node: Node, open_nodes: list[tuple[Node, list[Node]]]) -> Node:
    if open_nodes:
        open_nodes[-1][1].append(node)
    return node


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    pending = [node]
    while pending:
        one = pending.pop()
        yield one
        pending.extend(one.children())


def index_of(text: str, line: int, column: int) -> int:
    """The character at a 1-based line and column, with lines as YAML counts them."""
    start = 0
    for _ in range(line - 1):
        found = min((at for end in ("\n", "\r") if (at := text.find(end, start)) >= 0), default=-1)
        if found < 0:
            return len(text)
        start = found + (2 if text.startswith("\r\n", found) else 1)
    return start + column - 1


def path_at(text: str, line: int, column: int) -> tuple[Key, ...] | None:
    """The path of what stands at a place: of the pair whose key begins there, else of the element or value."""
    target = index_of(text, line, column)
    pending: list[tuple[tuple[Key, ...], Node]] = [((), parse(text))]
    while pending:
        path, node = pending.pop()
        for key, value in node.pairs:
            if target == key.start or (value.kind == "scalar" and not value.is_empty and target == value.start):
                return (*path, key.value)
            pending.append(((*path, key.value), value))
        for index, item in enumerate(node.items):
            if item.start == target:
                return (*path, index)
            pending.append(((*path, index), item))
    return None
