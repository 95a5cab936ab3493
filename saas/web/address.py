"""From which address a request comes, when proxies stand in between."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

#: What `trusted_proxies` calls a proxy that connects through a Unix socket.
UNIX_SOCKET = "unix"
#: One customer's part of the IPv6 address space.
_IPV6_SITE = 64


def client_address(scope: Scope, trusted_proxies: Sequence[str]) -> str:
    """The address of the client: the connection's, or what trusted proxies say in `X-Forwarded-For`.

    `trusted_proxies` are addresses, networks (`10.0.0.0/8`) or `unix`. Each proxy appends the address that it was
    called from, so the last hop that is not trusted is the client; whatever stands before it, anybody may have written.
    """
    client = scope.get("client")
    peer: str = (client[0] if client else "") or UNIX_SOCKET
    if not trusted_proxies or not _is_trusted(peer, tuple(trusted_proxies)):
        return peer
    trusted = tuple(trusted_proxies)
    address = peer
    for hop in reversed(_forwarded_for(scope)):
        canonical = _parse(hop)
        if canonical is None:
            break
        address = str(canonical)
        if not _is_trusted(address, trusted):
            break
    return address


@lru_cache(maxsize=10_000)
def site_of(address: str) -> str:
    """The address; of IPv6, what one customer has, since within it anybody can change theirs at will."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return sha256(address.encode()).hexdigest()[:32]
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((parsed, _IPV6_SITE), strict=False).network_address)
    return str(parsed)


def _forwarded_for(scope: Scope) -> list[str]:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for hop in ",".join(values).split(",")] if values else []


def _parse(hop: str) -> IPv4Address | IPv6Address | None:
    """An address, without the port that some proxies add; None for anything else."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        address = ip_address(hop)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_trusted(address: str, trusted: tuple[str, ...]) -> bool:
    if address in trusted:
        return True
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in _networks(trusted))


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(entry, strict=False) for entry in trusted if entry != UNIX_SOCKET)
