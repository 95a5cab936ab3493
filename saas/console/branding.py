"""A tenant's looks: its name, its colour and its logo, and what pages look like with them before they do."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from saas.audit.tenancy import change_tenant
from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.web.branding import DARK_SURFACE, DEFAULT_ACCENT, LIGHT_SURFACE, Branding, branding_of, readable, text_on
from saas.web.csrf import uploaded
from tenants.branding import MAX_LOGO, check_accent, set_logo, set_looks
from tenants.errors import InvalidBranding, InvalidName
from tenants.names import check_text
from tenants.registry import Tenant

BRANDING: Final = f"{CONSOLE}/branding"
LOGO: Final = f"{BRANDING}/logo"
_MAX_TYPED: Final = 400
_NAME_ADVICE: Final = "Enter a name of 1 to 200 characters, on one line."
_COLOUR_ADVICE: Final = f"Write the colour as # and six digits or letters from a to f, like {DEFAULT_ACCENT}."


@reads("settings:read")
async def show_branding(page: Page) -> Response:
    return _page(page, _kept(page))


@reads("settings:read")
async def preview(page: Page) -> Response:
    """The stylesheet of the examples: of a colour that nobody has chosen yet. What is no colour is the platform's."""
    try:
        accent = check_accent(_accent(page.query.get("accent", ""))) or DEFAULT_ACCENT
    except InvalidBranding:
        accent = DEFAULT_ACCENT
    light, dark = (readable(accent, surface) for surface in (LIGHT_SURFACE, DARK_SURFACE))
    css = (
        f".sample{{--accent:{accent};--on-accent:{text_on(accent)};--accent-ink:{light}}}\n"
        f".sample.dark{{--accent-ink:{dark}}}\n"
    )
    return Response(css, media_type="text/css")


@writes("settings:write", detached=True)
async def change_looks(page: Page) -> Response:
    typed = {name: page.form.get(name, "").strip()[:_MAX_TYPED] for name in ("name", "accent")}
    errors = _faults(typed)
    if errors or page.form.get("step") == "preview":
        return _page(page, typed, errors)
    name, accent = typed["name"], _accent(typed["accent"])
    registry = page.state.registry

    async def change(session: AsyncSession) -> Tenant:
        return await set_looks(session, registry, page.tenant, name=name, accent=accent)

    details = {"name": name, "accent": accent}
    await change_tenant(page.state.database, page.tenant, "tenant.branding_changed", change, **details)
    return page.done(BRANDING, "Saved. All pages show it from now on.")


@writes("settings:write", detached=True)
async def upload_logo(page: Page) -> Response:
    content = uploaded(page.request, "logo")
    if not content:
        return _page(page, _kept(page), {"logo": "Choose a file first."})
    if len(content) > MAX_LOGO:
        size = f"The file has {-(-len(content) // 1024)} kB: at most {MAX_LOGO // 1024} kB are allowed."
        return _page(page, _kept(page), {"logo": size})
    try:
        await _set_logo(page, content)
    except InvalidBranding as error:
        return _page(page, _kept(page), {"logo": f"{error}: choose another file."})
    return page.done(BRANDING, "The logo is on all pages from now on.")


@writes("settings:write", detached=True)
async def remove_logo(page: Page) -> Response:
    await _set_logo(page, None)
    return page.done(BRANDING, "The logo is removed. Pages show the first letter of the name instead.")


async def _set_logo(page: Page, content: bytes | None) -> None:
    registry = page.state.registry

    async def change(session: AsyncSession) -> Tenant:
        await registry.changeable(session, page.tenant.slug)
        await set_logo(session, page.tenant, content)
        await session.flush()
        changed: Tenant = await registry.get(session, page.tenant.slug)
        return changed

    details = {"logo": content is not None}
    await change_tenant(page.state.database, page.tenant, "tenant.branding_changed", change, **details)


def _page(page: Page, typed: Mapping[str, str], errors: Mapping[str, str] | None = None) -> Response:
    errors = errors or {}
    present = branding_of(page.request.scope)
    name = typed["name"] if "name" not in errors else page.tenant.name
    accent = check_accent(_accent(typed["accent"])) if "accent" not in errors else page.tenant.accent
    return render_console(
        page,
        "console/branding.html",
        422 if errors else 200,
        active="branding",
        scripts=True,
        typed=typed,
        sample=Branding(name, accent or DEFAULT_ACCENT, present.logo_url if present else None),
        changed=dict(typed) != _kept(page),
        default=DEFAULT_ACCENT,
        most=MAX_LOGO,
        errors=errors,
    )


def _kept(page: Page) -> dict[str, str]:
    """The form's fields as they are saved."""
    return {"name": page.tenant.name, "accent": page.tenant.accent or ""}


def _faults(typed: Mapping[str, str]) -> dict[str, str]:
    errors = {}
    try:
        check_text(typed["name"], "name")
    except InvalidName:
        errors["name"] = _NAME_ADVICE
    try:
        check_accent(_accent(typed["accent"]))
    except InvalidBranding:
        errors["accent"] = _COLOUR_ADVICE
    return errors


def _accent(typed: str) -> str | None:
    """None where nothing is typed; the # may be missing."""
    return f"#{typed.removeprefix('#').lower()}" if typed else None


routes: Final = [
    route(BRANDING, show_branding, "GET"),
    route(BRANDING, change_looks, "POST"),
    route(LOGO, upload_logo, "POST"),
    route(f"{LOGO}/remove", remove_logo, "POST"),
    route(f"{BRANDING}/preview.css", preview, "GET"),
]
