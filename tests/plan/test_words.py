"""What a step is called: read by a person, in the plan, while it runs, and by whoever is asked for it."""

from __future__ import annotations

from typing import Any

import pytest

from pfdoctor.core.plan.resource import BodyChange, NewVersion, UpdateDeployment, UpdateEndpoint
from pfdoctor.core.plan.step import Edit, SetValue
from pfdoctor.core.plan.words import title_of

CONTAINER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/environments/pf"
ROUTES: dict[str, Any] = {
    "livenessRoute": {"port": 8080, "path": "/health"},
    "readinessRoute": {"port": 8080, "path": "/health"},
    "scoringRoute": {"port": 8080, "path": "/score"},
}
COPY = "register version 8 of pf: a copy of version 7 in which"
HEALTH = "{port: 8080, path: /health}"
ROUTE = "{port: 8080, path: /score}"
SCORE = f"inferenceConfig.scoringRoute is {ROUTE}"
ROUTES_CUT = "{livenessRoute: {port: 8080, path: /health}, readinessRoute: {port: 8080, path:…"
CONFIG = ("properties", "inferenceConfig")


def version(*changes: BodyChange) -> NewVersion:
    return NewVersion(CONTAINER, f"{CONTAINER}/versions/7", "8", changes)


@pytest.mark.parametrize(
    ("edit", "title"),
    [
        (
            version(BodyChange("set", CONFIG, ROUTES, None)),
            f"{COPY} inferenceConfig.livenessRoute is {HEALTH}, inferenceConfig.readinessRoute is {HEALTH} and {SCORE}",
        ),
        (
            version(BodyChange("set", CONFIG, ROUTES, ROUTES | {"scoringRoute": {"path": "/score", "port": 5001}})),
            f"{COPY} inferenceConfig.scoringRoute.port is 8080 (was 5001)",
        ),
        (
            version(BodyChange("set", CONFIG, ROUTES, ROUTES | {"startupRoute": {"port": 1}})),
            f"{COPY} there is no inferenceConfig.startupRoute",
        ),
        (
            version(BodyChange("set", ("properties", "image"), "cr.example/pf:8", "cr.example/pf:7")),
            f"{COPY} image is cr.example/pf:8 (was cr.example/pf:7)",
        ),
        (
            UpdateDeployment("/d", (BodyChange("set", CONFIG, ROUTES, ROUTES),)),
            f"set inferenceConfig to {ROUTES_CUT} (was {ROUTES_CUT})",
        ),
        (
            UpdateDeployment(
                "/d",
                (
                    BodyChange("set", ("sku", "capacity"), 2, 1),
                    BodyChange("remove", ("properties", "environmentVariables", "A"), None, "1"),
                    BodyChange("rename", ("properties", "environmentVariables", "a.b"), "B"),
                ),
            ),
            'set sku.capacity to 2 (was 1), remove environmentVariables.A and rename environmentVariables."a.b" to B',
        ),
        (
            UpdateEndpoint("/e", (BodyChange("set", ("properties", "traffic"), {"blue": 100}, {}),)),
            "set traffic to {blue: 100}",
        ),
        (
            UpdateEndpoint("/e", (BodyChange("set", ("properties", "traffic"), {"blue": 100}, {"blue": 1, "b": 99}),)),
            "set traffic to {blue: 100} (was {blue: 1, b: 99})",
        ),
        (
            SetValue("environment.yml", ("it",), ROUTES, None),
            f"set it.livenessRoute to {HEALTH}, set it.readinessRoute to {HEALTH} and set it.scoringRoute to {ROUTE}",
        ),
        (SetValue("deployment.yml", ("instance_count",), 2, 1), "set instance_count to 2 (was 1)"),
        (SetValue("deployment.yml", ("tags", 0), "", None), 'set tags.0 to ""'),
    ],
)
def test_a_title_says_what_is_different(edit: Edit, title: str) -> None:
    assert title_of(edit) == title
