"""What an audit needs later, made ready while it waits for its first answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module

from pfdoctor.core.rule import Symptom


def begin(symptoms: Mapping[str, Symptom]) -> None:
    """Begins to load what the first answers are awaited for: the login first, then what reads endpoints.

    To be called when nothing forks any longer.
    """
    threading.Thread(target=_load, args=(symptoms,), daemon=True).start()


def _load(symptoms: Mapping[str, Symptom]) -> None:
    # what cannot be loaded is told by whoever needs it
    with suppress(Exception):
        for name in ("pfdoctor.audit.engine", "azure.identity.aio", "pfdoctor.audit.look"):
            import_module(name)
        from pfdoctor.collect.logs import read_text

        # what is looked for in logs is put together with the first of them
        read_text("", symptoms, source="nothing")
