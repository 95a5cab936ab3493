from datetime import timedelta

import pytest

from saas.identity.mails import invitation_mail, password_changed_mail, reset_mail
from saas.kit.mail import MailboxMailer
from tests.factories import TenantFactory
from tests.unit.saas.identity.world import EMAIL, Browser, World

ACME = TenantFactory()
TOKEN = "aB3_-" * 8 + "xyz"


def test_mails_say_what_for_where_to_and_how_long() -> None:
    reset = reset_mail(ACME, EMAIL, TOKEN, timedelta(minutes=30))
    assert (reset.to, reset.subject) == (EMAIL, "Reset your password for Acme")
    assert f"\nhttp://acme.localhost/reset/{TOKEN}\n" in reset.text
    assert "once, for 30 minutes." in reset.text
    invitation = invitation_mail(ACME, EMAIL, TOKEN, timedelta(days=7))
    assert f"\nhttp://acme.localhost/invitation/{TOKEN}\n" in invitation.text
    assert "once, for 7 days." in invitation.text
    assert "\nhttp://acme.localhost/reset\n" in password_changed_mail(ACME, EMAIL).text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(60, "1 minute"), (3600, "1 hour"), (5400, "90 minutes"), (172_800, "2 days"), (61, "61 seconds")],
)
def test_lengths_of_time_in_words(seconds: int, words: str) -> None:
    assert f"once, for {words}." in reset_mail(ACME, EMAIL, TOKEN, timedelta(seconds=seconds)).text


async def test_the_mailbox_page_shows_messages_and_their_links(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = MailboxMailer(world.services.redis)
    monkeypatch.setattr(world.app.state, "mailer", mailbox)
    await mailbox.send(reset_mail(browser.tenant, f"<b>{EMAIL}", TOKEN, timedelta(minutes=30)))
    page = await browser.get("/dev/mailbox")
    assert page.status_code == 200
    assert f'href="{browser.tenant.issuer}/reset/{TOKEN}"' in page.text
    assert f"&lt;b&gt;{EMAIL}" in page.text
    assert "<b>" not in page.text
