"""The development mailbox. Anybody may read it: routed only where SAAS_MAIL_MAILBOX is set."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from saas.identity.browser import page
from saas.kit.mail import MailboxMailer
from saas.web.pages import render

_LINK: Final = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)]")


async def show_mailbox(request: Request) -> Response:
    """The mail of all tenants: there is one developer."""
    mailer: MailboxMailer = request.app.state.mailer
    messages = [
        {
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "sent_at": message.sent_at,
            "links": _LINK.findall(message.text),
        }
        for message in await mailer.messages()
    ]
    return render(request, "identity/mailbox.html", messages=messages)


routes: Final = [page("/dev/mailbox", show_mailbox, "GET")]
