"""TXT records: what a domain's owner says in the DNS."""

from typing import TYPE_CHECKING, Final, Protocol

from tenants.errors import NameServersSilent

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

#: Seconds for a question, with every server that is asked.
TIMEOUT: Final = 5.0


class TxtResolver(Protocol):
    async def txt(self, name: str) -> list[str]:
        """The texts at this name, none where there is no such name. Raises NameServersSilent."""
        ...


class DnsTxtResolver:
    """Asks the machine's name servers, or those at the given addresses."""

    def __init__(self, servers: tuple[str, ...] = (), *, port: int = 53, timeout: float = TIMEOUT) -> None:
        self._servers = servers
        self._port = port
        self._timeout = timeout

    async def txt(self, name: str) -> list[str]:
        # slow to import, and hardly ever asked
        from dns.exception import DNSException  # noqa: PLC0415
        from dns.resolver import NXDOMAIN, NoAnswer  # noqa: PLC0415

        try:
            answer = await self._resolver().resolve(f"{name}.", "TXT", lifetime=self._timeout)
        except (NXDOMAIN, NoAnswer):
            return []
        except (DNSException, OSError) as error:
            raise NameServersSilent(f"The name servers do not answer for {name}: try again in a minute") from error
        # A record is strings of at most 255 bytes, which belong together (RFC 7208 section 3.3).
        return [b"".join(record.strings).decode(errors="replace") for record in answer]

    def _resolver(self) -> "Resolver":
        """A new one for each question: the machine's settings may change, and nothing is to be cached."""
        from dns.asyncresolver import Resolver  # noqa: PLC0415 - as above
        from dns.resolver import NoResolverConfiguration  # noqa: PLC0415 - as above

        try:
            resolver = Resolver(configure=not self._servers)
        except NoResolverConfiguration as error:
            raise NameServersSilent("This machine knows no name servers: see /etc/resolv.conf") from error
        if self._servers:
            resolver.nameservers = list(self._servers)
            resolver.port = self._port
        return resolver
