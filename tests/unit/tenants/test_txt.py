"""The resolver on a small name server of the test's own, on UDP."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import dns.message
import dns.rcode
import dns.rrset
import pytest

from tenants.errors import NameServersSilent
from tenants.txt import DnsTxtResolver

LONG = "x" * 200, "y" * 100


class NameServer(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)  # that of Python 3.11 is none by its class

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text()
        answer = dns.message.make_response(query)
        if name == "silent.example.":
            return
        if name == "broken.example.":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name == "_saas-challenge.acme.example.":
            texts = ('"saas-verification=abc"', f'"{LONG[0]}" "{LONG[1]}"')
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
        elif name != "empty.example.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)


@pytest.fixture
async def resolver() -> AsyncIterator[DnsTxtResolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield DnsTxtResolver(("127.0.0.1",), port=transport.get_extra_info("sockname")[1], timeout=0.3)
    transport.close()


async def test_texts_are_found_and_long_ones_are_whole(resolver: DnsTxtResolver) -> None:
    found = await resolver.txt("_saas-challenge.acme.example")
    assert sorted(found) == ["saas-verification=abc", "".join(LONG)]


@pytest.mark.parametrize("name", ["empty.example", "nobody.example"])
async def test_no_record_is_no_text(resolver: DnsTxtResolver, name: str) -> None:
    assert await resolver.txt(name) == []


@pytest.mark.parametrize("name", ["silent.example", "broken.example", "a" * 64 + ".example"])
async def test_no_answer_is_an_error_within_the_time(resolver: DnsTxtResolver, name: str) -> None:
    async with asyncio.timeout(3):
        with pytest.raises(NameServersSilent, match="try again"):
            await resolver.txt(name)
