"""What an audit needs later, loaded while it waits for others."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib import import_module

_LOGIN = ("pfdoctor.audit.engine", "azure.identity.aio")
_LOOK = ("pfdoctor.audit.look",)


def begin() -> threading.Thread:
    """Begins to load what logs in. To be called when nothing forks any longer.

    Whoever called it waits for the thread before importing anything: where a package imports its own modules, as
    azure.core does, two threads that come to it by different ways raise _DeadlockError.
    """
    return _loading(_LOGIN)


def go_on() -> None:
    """Begins to load what reads endpoints, while somebody logs in. By then nothing is left to load that both need."""
    _loading(_LOOK)


def _loading(names: tuple[str, ...]) -> threading.Thread:
    thread = threading.Thread(target=_load, args=(names,), daemon=True)
    thread.start()
    return thread


def _load(names: tuple[str, ...]) -> None:
    for name in names:
        # what cannot be loaded is told by whoever needs it
        with suppress(Exception):
            import_module(name)
