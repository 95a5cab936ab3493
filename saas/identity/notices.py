"""Mail to a person about a change of their own account, once it is true."""

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from saas.identity.mails import factors_changed_mail
from tenants.changes import after_commit


def tell_of_change(request: Request, session: AsyncSession, to: str, change: str) -> None:
    """`change` is a sentence. Nobody waits for the mail; it goes out when this transaction has committed."""
    state, message = request.app.state, factors_changed_mail(request.scope["tenant"], to, change)

    async def send() -> None:
        state.background.start("mail that factors have changed", lambda: state.mailer.send(message))

    after_commit(session, send)
