"""The files that pages load: our own stylesheet, read once, and a tenant's colour and icon, made from its branding."""

from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from saas.web.branding import LOGO_PATH, Branding, branding_of
from tenants.branding import find_logo
from tenants.registry import Tenant

_MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOLDER: Final = Path(__file__).parent / "static"
_FOREVER: Final = "public, max-age=31536000, immutable"


def version(content: bytes) -> str:
    """What stands in the address of `content`, and changes with it."""
    return sha256(content).hexdigest()[:16]


def asset(name: str) -> str:
    """The address of a file in static/. KeyError where there is none."""
    return f"/static/{name}?v={_versions[name]}"


async def _file(request: Request) -> Response:
    name: str = request.path_params["name"]
    if name not in _files:
        raise HTTPException(404)
    return _cacheable(request, _files[name], Path(name).suffix)


async def _brand(request: Request) -> Response:
    return _cacheable(request, _branding(request).stylesheet.encode(), ".css")


async def _icon(request: Request) -> Response:
    return _cacheable(request, _branding(request).icon.encode(), ".svg")


async def _logo(request: Request) -> Response:
    """The tenant's logo: its name changes with its content, so that it may be kept for ever."""
    tenant: Tenant = request.scope["tenant"]
    if request.path_params["name"] == tenant.logo:
        async with request.app.state.database.platform_session() as session:
            logo = await find_logo(session, tenant.id)
        if logo is not None:
            return Response(logo.content, media_type=logo.media_type, headers={"Cache-Control": _FOREVER})
    raise HTTPException(404)


def _branding(request: Request) -> Branding:
    branding = branding_of(request.scope)
    if branding is None:
        raise HTTPException(404)
    return branding


def _cacheable(request: Request, content: bytes, suffix: str) -> Response:
    """For ever where the address names this content; else the browser asks each time whether it has changed."""
    current = version(content)
    pinned = request.query_params.get("v") == current
    headers = {"ETag": f'"{current}"', "Cache-Control": _FOREVER if pinned else "no-cache"}
    # A proxy that compresses turns the tag into a weak one, W/"...".
    if f'"{current}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_MEDIA_TYPES[suffix], headers=headers)


_files: Final = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.is_file()}
_versions: Final = {name: version(content) for name, content in _files.items()}

#: Files that are the same for every tenant: to be served on any host, also where there is no tenant.
STATIC_PATHS: Final = frozenset(f"/static/{name}" for name in _files)

asset_routes: Final = [
    Route("/static/brand.css", _brand),
    Route("/static/brand.svg", _icon),
    Route(f"{LOGO_PATH}/{{name}}", _logo),
    Route("/static/{name}", _file),
]
