"""GET /metrics: for who scrapes the machines, not for the world."""

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.kit.metrics import CONTENT_TYPE, Metrics
from saas.web.address import UNIX_SOCKET, client_address
from saas.web.problems import NotFound

METRICS_PATH: Final = "/metrics"
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def metrics_route(metrics: Metrics, platform_hosts: Collection[str], trusted_proxies: Sequence[str]) -> Route:
    """Answers on the platform's hosts, loopback and bare addresses, to callers in private networks; 404 to others.

    Whoever comes through a proxy that is not trusted comes from the proxy: name it in `trusted_proxies`.
    """
    hosts = _LOCAL_HOSTS.union(platform_hosts)

    async def answer(request: Request) -> Response:
        host = (request.url.hostname or "").lower()
        if not (host in hosts or _is_private(host)) or not _is_private(client_address(request.scope, trusted_proxies)):
            raise NotFound("There is nothing here")
        return Response(metrics.text(), media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})

    return Route(METRICS_PATH, answer)


def _is_private(address: str) -> bool:
    if address == UNIX_SOCKET:
        return True
    try:
        return ip_address(address).is_private
    except ValueError:
        return False
