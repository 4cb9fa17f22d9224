"""The command line: one module a command. Only this package knows typer."""

from __future__ import annotations

import gc

# Starting allocates much and frees almost nothing, so collecting garbage finds none: a tenth of a cold start.
# It stands here because it has to come before typer is imported.
gc.set_threshold(100_000, 20, 20)

COMMANDS = (
    "check",
    "diagnose",
    "audit",
    "plan",
    "apply",
    "undo",
    "access",
    "permissions",
    "demo",
    "selfcheck",
    "facts",
    "explain",
    "rules",
)
"""The commands in the order of the help; `pfdoctor.cli.<name>` holds the `app` of each."""
