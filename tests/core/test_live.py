"""What follows from live facts: cores, latency, users of connections, drift."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pfdoctor.core.derive import derive
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json, Unknown

UNKNOWN = Unknown("forbidden", "403").to_json()


def live_of(live: dict[str, Json], **document: Json) -> dict[str, Json]:
    facts = Facts({"case": {"name": "chat/blue", "kind": "deployment"}, "live": live, **document})
    derived: dict[str, Json] = derive(facts).document["live"]
    return derived


@given(st.integers(1, 200), st.integers(1, 96))
def test_a_fifth_of_the_instances_is_reserved(instances: int, cores: int) -> None:
    quota = {"cores_per_instance": cores, "instances": instances, "reserved": True, "limit": 100, "used": 4}
    needed = live_of({"quota": quota})["quota"]["cores_needed"]
    # the smallest whole number of instances that is at least 1.2 times as many
    assert needed % cores == 0
    assert 10 * (needed // cores) >= 12 * instances > 10 * (needed // cores - 1)


def test_exempt_families_reserve_nothing() -> None:
    quota = {"cores_per_instance": 24, "instances": 2, "reserved": False, "limit": 100, "used": 4}
    assert live_of({"quota": quota})["quota"] == {**quota, "cores_needed": 48, "available": 96}


def test_what_is_not_known_of_a_quota_stays_unknown() -> None:
    quota = {"cores_per_instance": UNKNOWN, "instances": 2, "reserved": True, "limit": UNKNOWN, "used": 4}
    derived = live_of({"quota": quota})["quota"]
    assert (derived["cores_needed"], derived["available"]) == (UNKNOWN, UNKNOWN)
    assert live_of({"quota": UNKNOWN})["quota"] == UNKNOWN


def test_the_default_timeout_is_five_seconds() -> None:
    latency = live_of({"deployment": {"request_settings": None}, "metrics": {"latency_p95_ms": 4500}})["latency"]
    assert (latency["timeout_ms"], latency["observed_by"], latency["share_of_timeout"]) == (5000, "metrics", 0.9)


def test_one_request_does_not_outweigh_an_hour_of_them() -> None:
    probe = {"score_latency": {"n": 1, "p50": 10, "p95": 10, "max": 10}}
    view = {"deployment": {"request_settings": None}, "metrics": {"latency_p95_ms": 4500}, "data_plane": probe}
    latency = live_of(view)["latency"]
    assert (latency["observed_by"], latency["observed_p95_ms"]) == ("metrics", 4500)
    latency = live_of({**view, "metrics": UNKNOWN})["latency"]
    assert (latency["observed_by"], latency["observed_p95_ms"]) == ("probe", 10)


def test_many_requests_of_a_probe_are_nearer_than_a_metric() -> None:
    probe = {"score_latency": {"n": 20, "p50": 10, "p95": 60, "max": 80}}
    settings = {"request_timeout_ms": 120}
    latency = live_of(
        {"deployment": {"request_settings": settings}, "metrics": {"latency_p95_ms": 1}, "data_plane": probe}
    )["latency"]
    assert (latency["observed_by"], latency["observed_n"], latency["share_of_timeout"]) == ("probe", 20, 0.5)


def test_nothing_observed_is_unknown() -> None:
    latency = live_of({"deployment": {"request_settings": None}, "metrics": UNKNOWN})["latency"]
    assert latency["observed_p95_ms"] == latency["share_of_timeout"] == UNKNOWN


def test_a_cut_log_does_not_say_that_nothing_was_retried() -> None:
    deployment = {"deployment": {"request_settings": None}}
    cut = live_of(deployment, logs=[{"source": "a", "complete": False, "hits": [], "errors": []}])["latency"]
    whole = live_of(deployment, logs=[{"source": "a", "complete": True, "hits": [], "errors": []}])["latency"]
    assert cut["retries"]["$unknown"]["code"] == "log-cut"
    assert (whole["retries"], whole["slowest_node"]) == (0, None)


def test_without_files_nobody_knows_who_uses_a_connection() -> None:
    settings = live_of({"deployment": {"environment_variables": {"aoai": "other"}}})["settings"]
    assert settings["connection_overrides"]["$unknown"]["code"] == "not-read-live"


def test_connections_are_marked_with_the_nodes_that_name_them() -> None:
    declared = {"needs": {"connections": [{"name": "AOAI", "node": "ask"}]}, "flow": None}
    connections = live_of({"connections": [{"name": "aoai"}, {"name": "other"}]}, declared=declared)["connections"]
    assert [one["used_by"] for one in connections] == [["ask"], []]


class TestDrift:
    def differences(self, declared: dict[str, Json], live: dict[str, Json]) -> list[tuple[str, Json, Json, str]]:
        found = live_of(live, declared=declared)["drift"]["differences"]
        return [(one["path"], one["declared"], one["live"], one["kind"]) for one in found]

    def test_what_both_state_is_compared(self) -> None:
        declared = {"deployment": {"instance_count": 2, "environment": {"name": "pf", "version": "8"}}}
        live = {"deployment": {"instance_count": 3, "environment": {"name": "PF", "version": "7"}}}
        assert self.differences(declared, live) == [
            ("deployment.instance_count", 2, 3, "changed"),
            ("deployment.environment.version", "8", "7", "changed"),
        ]

    def test_what_the_file_leaves_open_is_no_difference(self) -> None:
        declared = {"deployment": {"instance_type": None, "model": {"name": "m", "version": None}}}
        live = {"deployment": {"instance_type": "Standard_DS3_v2", "model": {"name": "m", "version": "4"}}}
        assert self.differences(declared, live) == []

    def test_unknowns_placeholders_and_secrets_are_not_compared(self) -> None:
        declared = {
            "deployment": {
                "instance_type": "<size>",
                "placeholders": [{"key": "instance_type"}],
                "instance_count": UNKNOWN,
                "environment_variables": {"KEY": "[redacted: API key]", "A": UNKNOWN},
            }
        }
        live = {
            "deployment": {
                "instance_type": "Standard_DS3_v2",
                "instance_count": 1,
                "environment_variables": {"KEY": "other", "A": "1"},
            }
        }
        assert self.differences(declared, live) == []

    def test_variables_of_one_side_only(self) -> None:
        declared = {"deployment": {"environment_variables": {"A": 1, "B": "x"}}}
        live = {"deployment": {"environment_variables": {"A": "1", "C": "y"}}}
        assert self.differences(declared, live) == [
            ("deployment.environment_variables.B", "x", None, "only-declared"),
            ("deployment.environment_variables.C", None, "y", "only-live"),
        ]

    def test_the_missing_inference_config(self) -> None:
        route = {"port": 8080, "path": "/score"}
        declared = {"environment": {"inference_config": {"scoring_route": route}}}
        live = {"environment": {"inference_config": None}}
        assert self.differences(declared, live) == [
            ("environment.inference_config.scoring_route.port", 8080, None, "only-declared"),
            ("environment.inference_config.scoring_route.path", "/score", None, "only-declared"),
        ]


def test_who_uses_connections_that_were_not_read_stays_unknown() -> None:
    needed: list[Json] = [{"name": "aoai", "node": "ask"}]
    declared: dict[str, Json] = {"flow": {}, "needs": {"connections": needed}}
    assert live_of({"connections": UNKNOWN}, declared=declared)["connections"] == UNKNOWN
    partly = {"$incomplete": UNKNOWN["$unknown"], "items": [{"name": "AOAI"}, {"name": UNKNOWN}, UNKNOWN]}
    marked = live_of({"connections": partly}, declared=declared)["connections"]
    assert marked["$incomplete"] == partly["$incomplete"]
    assert [one.get("used_by") for one in marked["items"]] == [["ask"], UNKNOWN, None]
    needed.append({"name": UNKNOWN, "node": "more"})
    assert "used_by" not in live_of({"connections": [{"name": "x"}]}, declared=declared)["connections"][0]
