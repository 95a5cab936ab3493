"""The API's documentation at a tenant: the OpenAPI document, and a page to read it and try it out."""

import json
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from saas.web.openapi import ISSUER, openapi_document
from tenants.names import normalize_host
from tenants.registry import Tenant

_HERE: Final = Path(__file__).parent
#: Everything from here; Swagger UI's style sheet has its icons in data URLs.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def docs_routes(app: FastAPI) -> list[BaseRoute]:
    """`/docs` and `/openapi.json` of the tenant that is asked. The catalogue of scopes is `app.state.catalogue`."""
    page = (_HERE / "templates" / "docs.html").read_text()
    issuer = ISSUER.encode()

    @cache
    def document() -> bytes:
        """Made at the first request: by then every router is included."""
        return json.dumps(openapi_document(app, app.state.catalogue), separators=(",", ":")).encode()

    async def openapi(request: Request) -> Response:
        tenant: Tenant = request.scope["tenant"]
        return Response(document().replace(issuer, tenant.issuer.encode()), media_type="application/json")

    async def docs(request: Request) -> Response:
        tenant: Tenant = request.scope["tenant"]
        if normalize_host(request.headers["host"]) in tenant.domains:
            # Tokens come from the issuer, and from another origin a browser would not let the page ask for one.
            return RedirectResponse(f"{tenant.issuer}{request.url.path}?{request.url.query}")
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    # Ours, then those of Swagger UI as they are installed.
    assets = StaticFiles(directory=_HERE / "static" / "docs", packages=[("fastapi_offline", "static")])
    return [Route("/docs", docs), Route("/openapi.json", openapi), Mount("/docs/assets", assets)]
