"""What the pages on which somebody adds a factor have in common, before they are signed in and afterwards."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from saas.identity.notices import tell_of_change
from saas.identity.places import place_of, remember_browser
from saas.identity.totp import in_groups, key_uri, qr_code
from saas.web.pages import render

MAX_CODE: Final = 64
WRONG_CODE: Final = (
    "This code is not right. Enter the one that the app shows now; check that your clock is set by itself."
)


def totp_page(
    request: Request,
    user_id: UUID,
    email: str,
    *,
    sealed: str = "",
    errors: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """`sealed` is the proposal that was shown before: a code that was mistyped does not change the QR code."""
    tenant = request.scope["tenant"]
    proposal = request.app.state.factors.propose(tenant, user_id, sealed)
    response = render(
        request,
        "identity/totp.html",
        422 if errors else 200,
        scripts=True,
        qr=qr_code(key_uri(proposal.secret, email, tenant.name)),
        key=in_groups(proposal.secret),
        hidden={"secret": proposal.sealed},
        email=email,
        errors=errors or {},
        **context,
    )
    return remember_browser(request, response)


async def add_totp(request: Request, session: AsyncSession, user_id: UUID, email: str, form: Mapping[str, str]) -> bool:
    """Whether the code was right; their owner is told."""
    sealed, code = form.get("secret", ""), form.get("code", "")[:MAX_CODE]
    added: bool = await request.app.state.factors.add_totp(session, request.scope["tenant"], user_id, sealed, code)
    if added:
        tell_of_change(request, session, email, "An authenticator app was added.")
    return added


async def add_passkey(
    request: Request, session: AsyncSession, user_id: UUID, email: str, form: Mapping[str, str]
) -> tuple[str, ...]:
    """What it proves, as `amr`; its owner is told. Raises PasskeyRefused."""
    passkeys, place = request.app.state.passkeys, place_of(request, "create", user_id)
    answer, name = form.get("credential", ""), form.get("name", "")
    proven: tuple[str, ...] = await passkeys.add(session, place, form.get("state", ""), answer, name)
    tell_of_change(request, session, email, "A passkey was added.")
    return proven


async def first_codes(request: Request, session: AsyncSession, user_id: UUID) -> list[str]:
    """Recovery codes, for somebody who has none; else nothing."""
    factors = request.app.state.factors
    if (await factors.of(session, user_id)).recovery_codes:
        return []
    codes: list[str] = await factors.new_recovery_codes(session, user_id)
    return codes


def codes_page(request: Request, email: str, codes: list[str], continue_url: str, added: str = "") -> Response:
    """Shown this once: it is the form's own answer. `added` is what they belong to, as a sentence."""
    context: dict[str, Any] = {"email": email, "codes": codes, "continue_url": continue_url, "notice": added or None}
    return render(request, "identity/recovery_codes.html", scripts=True, **context)
