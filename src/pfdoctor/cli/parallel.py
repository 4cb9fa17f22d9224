"""Examines planned cases on all cores, where that pays."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pfdoctor.cli.output import say
from pfdoctor.cli.run import Fault
from pfdoctor.collect.folder import Scan
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import PfdoctorError

# below this many cases, starting processes costs more than they save
_WORTH_IT = 48
_CHUNK = 8

_T = TypeVar("_T")

_work: tuple[Sequence[Scan], Callable[[Facts], object]] | None = None
"""What the forked workers inherit: a scan holds parsed documents, which would be costly to send."""


def examine(scans: Sequence[Scan], examine_case: Callable[[Facts], _T]) -> Iterator[_T | Fault]:
    """`examine_case` of every case, in the order of the plans; the files of no case come last.

    A bug of ours in one case is a Fault in its place: the other cases are still examined.
    """
    places = [(index, case) for index, scan in enumerate(scans) for case in range(len(scan.plans))]
    cores = _cores()
    if len(places) >= _WORTH_IT and cores > 1 and sys.platform == "linux":
        yield from _forked(scans, examine_case, places, cores)
    else:
        for index, case in places:
            yield _guarded(scans[index], case, examine_case)
    for scan in scans:
        for facts in scan.leftovers():
            yield examine_case(facts)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _forked(
    scans: Sequence[Scan], examine_case: Callable[[Facts], _T], places: list[tuple[int, int]], cores: int
) -> Iterator[_T | Fault]:
    # imported here: a single flow never needs it
    import multiprocessing

    global _work  # noqa: PLW0603  # a fork inherits globals, and nothing else can be handed over without copying
    _work = (scans, examine_case)
    context = multiprocessing.get_context("fork")
    try:
        with context.Pool(cores, initializer=_quiet) as pool:
            yield from pool.imap(_examine_one, places, chunksize=_CHUNK)
    finally:
        _work = None


def _quiet() -> None:
    """A worker leaves Ctrl-C to the parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _examine_one(place: tuple[int, int]) -> object:
    if _work is None:
        raise RuntimeError("a worker was started without work")
    scans, examine_case = _work
    return _guarded(scans[place[0]], place[1], examine_case)


def _guarded(scan: Scan, case: int, examine_case: Callable[[Facts], _T]) -> _T | Fault:
    try:
        return examine_case(scan.case(case))
    except PfdoctorError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug of ours in one case must not cost the report of the others
        from pfdoctor.cli.crash import record

        name, kind = scan.tree.name(scan.plans[case].path), type(error).__name__
        say(f"{name}: internal error ({kind}): this is a bug in pfdoctor; {record(error)}")
        return Fault(name, kind)
