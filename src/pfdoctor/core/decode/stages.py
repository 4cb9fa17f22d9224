"""How far a container came: the stages of its start, told by the lines that the image and the serving app print.

The app's own lines are those of promptflow-core 1.18.5 (docs/evidence/promptflow-1.18.5.md); gunicorn prints
`Booting worker` before a worker builds the app. The lines of the image's start script are known from
microsoft/promptflow issue 3923.
"""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """A stage of a container's start, with what is printed when it is reached."""

    name: str
    title: str
    lines: tuple[str, ...]


STAGES = (
    Stage(
        "platform",
        "the platform prepared the container",
        ("Instance status:", "SystemSetup: ", "UserContainerImagePull: ", "ModelDownload: ", "Container events:"),
    ),
    Stage(
        "run-mode",
        "the image's start script ran",
        (
            "detecting promptflow run mode...",
            "PROMPTFLOW_RUN_MODE: ",
            "start promptflow serving with worker_num",
            "start promptflow runtime...",
            "Starting gunicorn with",
        ),
    ),
    Stage(
        "server",
        "the web server listened and started its workers",
        (
            "Starting gunicorn ",
            "Listening at: http",
            "Booting worker with pid",
            "Started server process [",
            "Waiting for application startup.",
            "Start promptflow server with port",
            "Serving Flask app",
        ),
    ),
    Stage(
        "project",
        "the serving app found the flow's folder",
        (
            "Create extension with type: ",
            "Enable AzureML extension.",
            "Project path: ",
            "Promptflow sample file detected.",
        ),
    ),
    Stage(
        "connections",
        "the overrides of connections were read",
        (
            "Connection name overrides: ",
            "Connections data overrides: ",
            "Promptflow get connections successfully.",
            "Getting connections from pf client with provider",
            "Getting connections from custom connection provider",
            "is overridden with environment variable ",
            "Initializing connection provider",
        ),
    ),
    Stage(
        "tools", "the flow's connections and tools were being loaded", ("Promptflow executor starts initializing...",)
    ),
    Stage(
        "ready",
        "the flow was loaded",
        ("Promptflow executor initializing succeed!", "Promptflow executor initiated successfully."),
    ),
    Stage(
        "listening",
        "the app answers",
        ("Application startup complete.", "Uvicorn running on ", '"GET /health HTTP/1.1" 200', '"GET / HTTP/1.1" 200'),
    ),
    Stage(
        "scoring",
        "a request reached the flow",
        (
            "Start loading request data...",
            "Validating flow input with data",
            "Execute flow with data",
            "Flow run result: ",
        ),
    ),
)
"""In the order in which they are reached."""

RANKS = {line: rank for rank, stage in enumerate(STAGES) for line in stage.lines}
"""The place of a stage in `STAGES` by the lines that tell it."""

STARTS = frozenset(("detecting promptflow run mode...", "Starting gunicorn "))
"""Lines with which a container starts again: what it reached before counts no more."""
