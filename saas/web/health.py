"""Whether the process runs, and whether it can serve."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from saas.web.errors import Unavailable
from saas.web.problems import render_problem

log = structlog.get_logger(__name__)

#: Answers None when all is well, else what is wrong. What it raises counts as "unreachable".
Check = Callable[[], Awaitable[str | None]]

#: Seconds for all checks together: less than any prober waits.
_TIMEOUT: Final = 2.0
_NO_STORE: Final = {"Cache-Control": "no-store"}


def health_routes(checks: Mapping[str, Check], *, optional: Collection[str] = ()) -> list[Route]:
    """`/healthz`: the process answers. `/readyz`: each of `checks` is well, or 503 and which one is not.

    Where only `optional` ones are not, the answer is 200 with the status "degraded": the process can serve.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def readyz(_: Request) -> Response:
        wrong = await asyncio.gather(*(_run(name, check) for name, check in checks.items()))
        found = {name: problem or "ok" for name, problem in zip(checks, wrong, strict=True)}
        failing = [f"{name}: {problem}" for name, problem in found.items() if problem != "ok" and name not in optional]
        if failing:
            return render_problem(Unavailable("; ".join(failing), extra={"checks": found}))
        status = "degraded" if any(wrong) else "ok"
        return JSONResponse({"status": status, "checks": found}, headers=_NO_STORE)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


async def _run(name: str, check: Check) -> str | None:
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await check()
    except TimeoutError:
        return f"no answer within {_TIMEOUT:g} seconds"
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        log.warning("A readiness check failed", check=name, error=str(error))
        return "unreachable"
