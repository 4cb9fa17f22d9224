"""Reading: each resource once, and for whatever goes wrong a reason instead of an exception."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pfdoctor.cloud.date import LatestDate, date_of, iso_text
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.cloud.pipeline import arm_pipeline
from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.core.model import Unknown
from pfdoctor.simulator.certificates import Authority
from pfdoctor.simulator.clock import seconds_of

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-chat"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws-chat"
DEPLOYMENT = f"{WORKSPACE}/onlineEndpoints/chat/deployments/blue"
FAULTS: list[tuple[str, Any, set[str]]] = [
    ("401", {"kind": "status", "status": 401, "code": "InvalidAuthenticationToken"}, {"unauthenticated"}),
    ("403", {"kind": "status", "status": 403, "code": "AuthorizationFailed"}, {"forbidden"}),
    ("404", {"kind": "status", "status": 404, "code": "ResourceNotFound"}, {"not-found"}),
    ("409", {"kind": "status", "status": 409, "code": "Conflict"}, {"conflict"}),
    ("429", "throttled", {"throttled"}),
    ("429 for an hour", {"kind": "throttled", "retry_after": 3600}, {"throttled"}),
    ("500", {"kind": "status", "status": 500}, {"server-error"}),
    ("302", {"kind": "status", "status": 302}, {"redirected"}),
    ("html", "html", {"html"}),
    ("html that is fine", {"kind": "html", "status": 200}, {"html"}),
    ("malformed", "malformed", {"malformed"}),
    ("truncated", "truncated", {"truncated", "connection-reset"}),
    ("empty", "empty", {"empty"}),
    ("wrong type", "wrong-type", {"wrong-type"}),
    ("another wrong type", {"kind": "wrong-type", "body": "text"}, {"wrong-type"}),
    ("an empty object", {"kind": "wrong-type", "body": {}}, {"wrong-type"}),
    ("slow", {"kind": "slow", "seconds": 0.5}, {"timeout"}),
    ("reset", "reset", {"connection-reset"}),
    ("closed", "close", {"connection-reset"}),
]


@pytest.fixture
def azure(azure: Any) -> Iterator[Any]:
    azure.simulator.requests.clear()
    yield azure
    azure.simulator.clear_faults()


def get(reader: Reader) -> Any:
    return reader.get(WORKSPACE, "2024-10-01", "Microsoft.MachineLearningServices/workspaces/read")


def listing(reader: Reader) -> Any:
    return reader.list(f"{WORKSPACE}/connections", "2024-04-01-preview", "needed/read")


def post(reader: Reader) -> Any:
    return reader.post(
        f"{DEPLOYMENT}/getLogs", "2024-10-01", {"containerType": "InferenceServer", "tail": 10}, "x/action"
    )


@pytest.mark.parametrize("ask", [get, listing, post])
@pytest.mark.parametrize(("fault", "codes"), [pytest.param(*one[1:], id=one[0]) for one in FAULTS])
def test_whatever_goes_wrong_is_unknown_with_its_reason(azure: Any, ask: Any, fault: Any, codes: set[str]) -> None:
    azure.simulator.inject({"path": "workspaces/ws-chat"}, fault)
    reading: Reading = azure.read(ask, longest=0.25 if codes == {"timeout"} else 20.0)
    assert isinstance(reading.value, Unknown)
    assert reading.value.code in codes
    assert reading.value.collect_command is not None
    assert reading.value.collect_command.startswith("az rest --method ")
    if reading.value.code == "forbidden":
        assert reading.value.permission is not None


def test_each_resource_is_read_once_even_by_many_at_once(azure: Any) -> None:
    async def ask(reader: Reader) -> Any:
        return await asyncio.gather(*(one(reader) for one in (get, listing, post) for _ in range(10)), get(reader))

    readings = azure.read(ask)
    assert all(one.unknown is None for one in readings)
    assert len([one for one in azure.simulator.requests if one.server == "arm"]) == 3


def test_the_source_of_a_reading(azure: Any) -> None:
    source = azure.read(get).source.to_json()
    assert source["id"] == WORKSPACE
    assert (source["status"], source["method"], source["api_version"]) == (200, "GET", "2024-10-01")
    assert len(source["request_id"]) == 36
    assert source["time"].endswith("Z")


def test_the_time_is_that_of_the_answers(azure: Any) -> None:
    """And the machine's before the first, and where there is none that Azure gave."""

    async def ask(reader: Reader) -> Any:
        reader._now = lambda: "1999-12-31T23:59:59Z"
        before = reader.azure_now
        fault = azure.simulator.inject({"path": "workspaces/ws-chat"}, {"kind": "html", "status": 200})
        await get(reader)
        strange = reader.azure_now
        azure.simulator.clear_faults()
        assert fault.hits
        await listing(reader)
        return before, strange, reader.azure_now, reader.another().azure_now

    first = int(azure.simulator.world.clock.now())
    before, strange, *told = azure.read(ask)
    last = azure.simulator.world.clock.now()
    assert (before, strange) == ("1999-12-31T23:59:59Z",) * 2
    for one in told:
        assert first <= seconds_of(one) <= last


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
        ("Sun, 06 Nov 1994 08:49:37 +0100", "1994-11-06T07:49:37Z"),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_that_is_none_tells_no_time(header: str | None, moment: str | None) -> None:
    date = date_of(header)
    assert (iso_text(date) if date is not None else None) == moment


def test_the_latest_date_counts() -> None:
    latest = LatestDate()
    for header in ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT", "nonsense", None):
        latest.note(header)
    assert latest.moment is not None
    assert iso_text(latest.moment) == "1994-11-06T08:49:37Z"


def test_the_permission_is_named_from_the_answer(azure: Any) -> None:
    message = "does not have authorization to perform action 'Microsoft.Other/things/read' over scope '/x'"
    azure.simulator.inject(
        {"path": "workspaces"}, {"kind": "status", "status": 403, "code": "AuthorizationFailed", "message": message}
    )
    assert azure.read(get).value.permission == "Microsoft.Other/things/read"


def test_a_secret_in_an_answer_is_not_repeated(azure: Any) -> None:
    secret = "sk-" + "canary4Q9xZ7Lk2Vb8Nf3Rt6Yh1Wd5Ms0Pc"
    azure.simulator.inject({"path": "workspaces"}, {"kind": "status", "status": 500, "message": f"api_key={secret}"})
    assert secret not in azure.read(get).value.detail


def test_throttled_for_a_while_is_waited_for(azure: Any) -> None:
    fault = azure.simulator.inject({"path": "workspaces/ws-chat", "first": 7}, "throttled")
    assert azure.read(get).unknown is None
    assert fault.hits == 7


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 503}, "reset"])
def test_a_passing_fault_is_tried_again(azure: Any, fault: Any) -> None:
    azure.simulator.inject({"path": "workspaces/ws-chat", "first": 2}, fault)
    assert azure.read(get).unknown is None


def test_pages_are_followed(azure: Any) -> None:
    azure.simulator.run(lambda: setattr(azure.simulator.world.settings, "page_size", 1))
    try:
        reading = azure.read(listing)
        assert (len(reading.value), reading.incomplete) == (3, None)
        azure.simulator.inject({"path": "skip", "nth": 2}, {"kind": "status", "status": 403})
        cut = azure.read(listing)
        assert (len(cut.value), cut.incomplete.code) == (2, "forbidden")
    finally:
        azure.simulator.run(lambda: setattr(azure.simulator.world.settings, "page_size", 30))


def test_pages_in_a_circle_end(azure: Any) -> None:
    azure.simulator.inject({"path": "connections"}, "page-loop")
    reading = azure.read(listing)
    assert (len(reading.value), reading.incomplete.code) == (3, "page-loop")


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://evil.example/x", "foreign-page"),
        ("http://127.0.0.1/x", "foreign-page"),
        ("https://[", "foreign-page"),
        (3, "wrong-type"),
    ],
)
def test_a_page_elsewhere_is_not_asked_for(azure: Any, link: Any, code: str) -> None:
    azure.simulator.inject({"path": "connections"}, {"kind": "wrong-type", "body": {"value": [{}], "nextLink": link}})
    assert azure.read(listing).incomplete.code == code
    assert len([one for one in azure.simulator.requests if one.server == "arm"]) == 1


def test_an_answer_that_is_nested_too_deeply(azure: Any) -> None:
    body: Any = {}
    for _ in range(200):
        body = {"a": [body]}
    azure.simulator.inject({"path": "workspaces"}, {"kind": "wrong-type", "body": body})
    assert azure.read(get).value.code == "malformed"


def test_an_item_that_is_none_leaves_the_list_incomplete(azure: Any) -> None:
    azure.simulator.inject({"path": "connections"}, {"kind": "wrong-type", "body": {"value": [{"name": "a"}, 3]}})
    reading = azure.read(listing)
    assert (reading.value, reading.incomplete.code) == ([{"name": "a"}], "wrong-type")


def test_nobody_logged_in_ends_the_run(azure: Any) -> None:
    azure.simulator.inject({"path": "/msi/"}, {"kind": "status", "status": 400, "message": "Identity not found"})
    with pytest.raises(AuthenticationError, match="managed identity"):
        azure.read(get, fresh=True)


@pytest.mark.parametrize(
    ("address", "code"),
    [("https://127.0.0.1:9", "unreachable"), ("https://no-such-host.invalid", "dns")],
)
def test_no_way_there(azure: Any, address: str, code: str) -> None:
    cloud = azure.cloud
    azure.cloud = cloud._replace(resource_manager=address)
    try:
        assert azure.read(get, fresh=True).value.code == code
    finally:
        azure.cloud = cloud


def test_an_authority_that_is_not_trusted(azure: Any, tmp_path: Path) -> None:
    bundle = azure.environment["REQUESTS_CA_BUNDLE"]
    azure.environment["REQUESTS_CA_BUNDLE"] = str(Authority(tmp_path).ca_file)
    try:
        value = azure.read(get, fresh=True).value
    finally:
        azure.environment["REQUESTS_CA_BUNDLE"] = bundle
    assert value.code == "tls"
    assert "REQUESTS_CA_BUNDLE" in value.detail


def test_the_logins_of_a_netrc_are_left_alone(azure: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logins = tmp_path / "netrc"
    logins.write_text("default login somebody password anything\n")
    monkeypatch.setenv("NETRC", str(logins))
    assert azure.read(get, fresh=True).unknown is None


def test_what_the_guard_refuses_is_unknown(azure: Any) -> None:
    reading = azure.read(lambda reader: reader.get(f"{GROUP}/../x", "2024-10-01"))
    assert reading.unknown.code == "refused-by-us"
    assert azure.read(lambda reader: reader.get(f"{GROUP}/\ud800", "2024-10-01")).unknown is not None


def test_the_proxy_of_the_environment_is_used(azure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert azure.read(get, fresh=True).value.code == "proxy"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert azure.read(get, fresh=True).unknown is None


def test_no_connection_outlives_the_pipeline_that_made_it(azure: Any) -> None:
    """A cancelled request closes its connection on its own time; a loop that ended before left the socket open."""
    azure.simulator.inject({"path": "workspaces/ws-chat"}, {"kind": "slow", "seconds": 0.3})

    port = urlsplit(azure.simulator.arm).port

    async def left_open() -> list[socket.socket]:
        async with azure.credential() as login:
            pipeline = arm_pipeline(azure.cloud, login, azure.environment, azure.limits)
            async with pipeline:
                reader = Reader(pipeline, azure.cloud, 5.0)
                begun = [asyncio.ensure_future(get(reader)) for _ in range(4)]
                await asyncio.sleep(0.1)
                for task in begun:
                    task.cancel()
                await asyncio.gather(*begun, return_exceptions=True)
                await reader.close()
            # at once, for every further turn of the loop could close another; and by type, for what isinstance asks may
            # be an object of another test that loads what is not installed
            found = [one for one in gc.get_objects() if issubclass(type(one), socket.socket)]
            return [one for one in found if _leads_to(one, port)]

    azure.run(azure.disconnect())
    assert azure.run(left_open()) == []


def _leads_to(one: socket.socket, port: int | None) -> bool:
    try:
        peer: tuple[str, int] = one.getpeername()
    except OSError:
        return False
    return peer[1:] == (port,)
