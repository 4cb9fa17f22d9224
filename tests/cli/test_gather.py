"""Everything given goes into one case, or it is said why not."""

from __future__ import annotations

import pytest

from pfdoctor.cli.gather import combine
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json, PfdoctorError

LOG = {"source": "app.log", "hits": []}


def files(name: str, kind: str = "deployment", endpoint: str | None = None, deployment: str | None = None) -> Facts:
    declared: dict[str, Json] = {"deployment": {"name": deployment, "endpoint_name": endpoint}}
    return Facts(
        {
            "case": {"name": name, "kind": kind},
            "declared": declared,
            "origins": {"declared": {}},
            "joins": [{"what": "x"}],
        }
    )


def live(endpoint: str, deployment: str) -> Facts:
    view = {"deployment": {"name": deployment, "endpoint_name": endpoint}}
    case = {"name": f"{endpoint}/{deployment}", "kind": "deployment", "id": f"/e/{endpoint}/{deployment}"}
    return Facts(
        {"case": case, "live": view, "logs": [{"source": "live"}], "clock": {"now": "t"}, "origins": {"live": {}}}
    )


def test_a_log_alone_is_a_case_of_its_own() -> None:
    (case,) = combine([], [], [LOG, {"source": "other.log", "hits": []}])
    assert case.case == {"name": "app.log and 1 more", "kind": "log", "file": None}
    assert not case.has_view("declared")


def test_nothing_is_no_case() -> None:
    assert combine([], [], []) == []


def test_a_log_belongs_to_the_only_flow() -> None:
    (case,) = combine([files("flow", "flow"), files("roles.json", "file")], [], [LOG])[:1]
    assert (case.case["name"], case.document["logs"]) == ("flow", [LOG])


def test_of_which_of_several_a_log_is_has_to_be_said() -> None:
    with pytest.raises(PfdoctorError, match="the log could belong to any of a, b: point PATH at the one it is of"):
        combine([files("a"), files("b")], [], [LOG])


def test_live_deployments_meet_the_files_that_declare_them() -> None:
    declared = [
        files("green.yml", deployment="green", endpoint="Chat"),
        files("blue.yml", deployment="BLUE", endpoint="chat"),
    ]
    cases = combine(declared, [live("chat", "blue"), live("chat", "green")], [])
    assert [(case.case["name"], case.has_view("live")) for case in cases] == [("blue.yml", True), ("green.yml", True)]
    blue = cases[0].document
    assert blue["joins"] == [{"what": "x"}, {"what": "live deployment", "to": "chat/blue", "how": "same names"}]
    assert (blue["case"]["id"], blue["logs"], set(blue["origins"])) == (
        "/e/chat/blue",
        [{"source": "live"}],
        {"declared", "live"},
    )


def test_one_deployment_and_one_flow_belong_together() -> None:
    (case,) = combine([files("flow", "flow")], [live("chat", "blue")], [LOG])
    assert case.document["joins"][-1]["how"] == "the only one given"
    assert case.document["logs"] == [{"source": "live"}, LOG]


def test_of_which_deployment_a_log_is_has_to_be_said() -> None:
    with pytest.raises(PfdoctorError, match="could be of any of chat/blue, chat/green: say which with --deployment"):
        combine([], [live("chat", "blue"), live("chat", "green")], [LOG])
