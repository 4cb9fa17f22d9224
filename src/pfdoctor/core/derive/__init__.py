"""Derived facts: what follows from the collected ones. They describe and never judge.

`derive` adds them to each view of a document; a view that already holds a derived fact keeps it, so that the
examples of rules can state it directly.
"""

from __future__ import annotations

from pfdoctor.core.facts import VIEWS, Facts


def derive(facts: Facts) -> Facts:
    """The facts with everything that follows from them."""
    return facts


__all__ = ["VIEWS", "derive"]
