"""Requests to addresses that others have chosen: they must not lead into our own network, nor hold us up.

https alone, to public addresses alone; what a name resolves to is checked and then connected to, so that a second look
cannot give another address. No redirects, no proxies from the environment; of the answer, only the status is read.
"""

import asyncio
import socket
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpcore

_TYPE: Final = "application/x-www-form-urlencoded"


class OutboundError(Exception):
    """The request was not sent, or not answered in time; the text says why."""


class Outbound:
    """`private` lets requests go to private addresses, and without TLS: for development alone.

    `timeout` is in seconds, from the look-up of the name to the status of the answer.
    """

    def __init__(self, *, private: bool, timeout: float = 5.0) -> None:
        self._private = private
        self._timeout = timeout
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=_PublicNetwork(private=private), max_connections=100, max_keepalive_connections=0
        )

    async def close(self) -> None:
        await self._pool.aclose()

    async def post_form(self, url: str, fields: Mapping[str, str]) -> int:
        """The status of the answer, whatever it is. Raises OutboundError."""
        scheme = urlsplit(url).scheme
        if scheme != "https" and not (self._private and scheme == "http"):
            raise OutboundError("the address must begin with https")
        headers = [("Content-Type", _TYPE), ("Accept", "*/*"), ("User-Agent", "saas"), ("Connection", "close")]
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._pool.stream("POST", url, headers=headers, content=urlencode(fields).encode()) as answer,
            ):
                return int(answer.status)
        except TimeoutError as error:
            raise OutboundError(f"no answer in {self._timeout:g} seconds") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise OutboundError(str(error) or type(error).__name__) from error


class _PublicNetwork(httpcore.AsyncNetworkBackend):
    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not self._private and not all(map(_is_public, addresses)):
            raise OutboundError(f"{host} is not a public address")
        for last, address in enumerate(addresses, 1):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                if last == len(addresses):
                    raise
        raise OutboundError(f"{host} has no address")


def _is_public(text: str) -> bool:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.sixtofour or address.teredo:  # tunnels to any address of IPv4
            return False
        address = address.ipv4_mapped or address
    return address.is_global and not address.is_multicast
