"""What an audit needs later, loaded while it waits for its first answers."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib import import_module


def begin() -> None:
    """Begins to load: the login first, then what reads endpoints. To be called when nothing forks any longer."""
    threading.Thread(target=_load, daemon=True).start()


def _load() -> None:
    for name in ("pfdoctor.audit.engine", "azure.identity.aio", "pfdoctor.audit.look"):
        # what cannot be loaded is told by whoever needs it
        with suppress(Exception):
            import_module(name)
