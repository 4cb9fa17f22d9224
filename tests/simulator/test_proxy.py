"""The proxy that knows no way but to the simulator."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pfdoctor.simulator.certificates import Authority
from pfdoctor.simulator.proxy import Address, ConnectProxy


def test_a_known_host_is_the_simulator_and_any_other_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host} got {len(await request.read())} bytes")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/big", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        context = authority.server_context("management.azure.com")
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        proxy = ConnectProxy({"management.azure.com:443": runner.addresses[0][:2]})
        await proxy.start()
        connector = aiohttp.TCPConnector(ssl=authority.client_context())
        async with aiohttp.ClientSession(connector=connector) as session:
            url = "https://management.azure.com/big"
            async with session.post(url, data=bytes(900_000), proxy=proxy.url) as response:
                assert await response.text() == "management.azure.com got 900000 bytes"
            with pytest.raises(aiohttp.ClientHttpProxyError, match="403"):
                await session.get("https://login.microsoftonline.com/", proxy=proxy.url)
            async with session.get("http://169.254.169.254/metadata", proxy=proxy.url) as response:
                assert response.status == 403
        assert proxy.refused == ["login.microsoftonline.com:443", "GET http://169.254.169.254/metadata HTTP/1.1"]
        await proxy.close()
        await runner.cleanup()

    asyncio.run(run())


def _unused() -> Address:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
        return host, port


@pytest.mark.parametrize(
    "sent",
    [b"", b"nonsense", b"x" * 50_000, b"CONNECT known:443 HTTP/1.1\r\n\r\n"],
    ids=["nothing", "no HTTP", "no end", "nobody there"],
)
def test_what_cannot_be_served_is_hung_up_on(sent: bytes) -> None:
    async def run() -> None:
        known: Mapping[str, Address] = {"known:443": _unused()}
        proxy = ConnectProxy(known)
        with pytest.raises(RuntimeError, match="not been started"):
            _ = proxy.url
        await proxy.start()
        host, _, port = proxy.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        writer.write_eof()
        with suppress(ConnectionResetError):  # what it never read it resets
            assert await reader.read() == b""
        writer.close()
        await proxy.close()

    asyncio.run(run())
