"""What a flow's collectors share: the names of flow files, and the facts of a flow while they are put together."""

from __future__ import annotations

from pfdoctor.collect.folder.files import Problem
from pfdoctor.collect.folder.section import Section
from pfdoctor.core.model import Json, Unknown

DAG_FILES = ("flow.dag.yaml", "flow.dag.yml")
FLEX_FILES = ("flow.flex.yaml", "flow.flex.yml")
FLOW_FILES = (*DAG_FILES, *FLEX_FILES)


class Gathered:
    """Facts of a flow while they are put together: `flow` itself and the problems of its files."""

    def __init__(self, flow: dict[str, Json]) -> None:
        self.flow = flow
        self.documents: list[dict[str, Json]] = []


def wrong_type(gathered: Gathered, section: Section, key: str, expected: str) -> Unknown:
    place = section.place(key)
    problem = Problem(
        "wrong-type", f"{'.'.join(map(str, (*section.path, key)))} is not {expected}", place[0] if place else None
    )
    gathered.documents.append(problem.fact(gathered.flow["file"], "flow"))
    return problem.unknown()
