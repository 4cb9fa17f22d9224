"""The way out for a program that has `management.azure.com` built in: an HTTP proxy that leads nowhere else.

promptflow's connection provider asks `https://management.azure.com` whatever the cloud says (`open_url` in
promptflow-core 1.18.5), and `requests` honours HTTPS_PROXY. So the proxy accepts `CONNECT` for the hosts it was given
and joins the two sockets; the other end is a TLS port of the simulator that holds a certificate for that host. What the
program wanted to reach besides is refused with 403 and kept in `refused`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

Address = tuple[str, int]

_LONGEST_HEAD = 16_384  # bytes of a request head, as most proxies allow


class ConnectProxy:
    """An HTTP CONNECT proxy on loopback; `destinations` is "host:port" to the loopback address that plays it.

    The names are in lower case; the mapping is looked at for each connection, so it may be completed later.
    """

    def __init__(self, destinations: Mapping[str, Address]) -> None:
        self._destinations = destinations
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.refused: list[str] = []
        """What was asked for and is nowhere on loopback: "host:port", or the request line of what was no CONNECT."""

    @property
    def url(self) -> str:
        """What HTTPS_PROXY has to say."""
        if self._server is None:
            message = "the proxy has not been started"
            raise RuntimeError(message)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_LONGEST_HEAD)

    async def close(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:  # start_server makes one for each connection
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # one end hung up, never spoke HTTP, or the proxy is closing: either way the connection is over
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request_line = head.split(b"\r\n", 1)[0].decode("latin-1")
        method, _, rest = request_line.partition(" ")
        target = rest.partition(" ")[0].lower()
        address = self._destinations.get(target) if method == "CONNECT" else None
        if address is None:
            self.refused.append(target if method == "CONNECT" else request_line)
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        there_reader, there_writer = await asyncio.open_connection(*address)
        try:
            writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            await asyncio.gather(_pour(reader, there_writer), _pour(there_reader, writer))
        finally:
            there_writer.close()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on every byte until the source ends, then say so to the sink."""
    while chunk := await source.read(65_536):
        sink.write(chunk)
        await sink.drain()
    with suppress(OSError):
        sink.write_eof()
