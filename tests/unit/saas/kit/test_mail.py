import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr, ValidationError
from redis.asyncio import Redis

from saas.dev import Servers
from saas.kit.mail import MailboxMailer, MailError, MailNotConfigured, Message, NoMailer, SmtpMailer
from saas.kit.redis import open_client
from saas.settings import MailSettings

MESSAGE = Message(
    "ann@people.example",
    "Reset: Ünïcode",
    "Hello Ann,\n\n.a line that begins with a dot\nhttps://x.example/reset/abc\n",
)
SENDER = "Acme <no-reply@acme.example>"


class Inbox:
    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(file))
    server.load_cert_chain(file)
    return server, client


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[int]:
    """The port of an SMTP server with these options, on this event loop."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(loop=loop, **options), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def plain(inbox: Inbox) -> AsyncIterator[int]:
    """The port of a server without TLS."""
    async with listening(handler=inbox, enable_SMTPUTF8=True) as port:
        yield port


@pytest.fixture
async def guarded(inbox: Inbox, certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[int]:
    """The port of a server that wants STARTTLS, then a user and a password."""
    async with listening(
        handler=inbox,
        tls_context=certificate[0],
        require_starttls=True,
        authenticator=inbox.authenticate,
        auth_required=True,
    ) as port:
        yield port


async def test_a_message_arrives_as_it_was_written(inbox: Inbox, plain: int) -> None:
    await SmtpMailer(f"smtp://127.0.0.1:{plain}", SENDER, timeout=5).send(MESSAGE)
    (envelope,) = inbox.envelopes
    assert isinstance(envelope.content, bytes)
    received = message_from_bytes(envelope.content, policy=default)
    assert envelope.rcpt_tos == ["ann@people.example"]
    assert envelope.mail_from == "no-reply@acme.example"
    assert (received["From"], received["To"], received["Subject"]) == (SENDER, MESSAGE.to, MESSAGE.subject)
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["Message-ID"].endswith("@acme.example>")
    assert received.get_content().replace("\r\n", "\n") == MESSAGE.text


async def test_an_address_beyond_ascii_is_taken(inbox: Inbox, plain: int) -> None:
    await SmtpMailer(f"smtp://127.0.0.1:{plain}", SENDER, timeout=5).send(Message("änn@people.example", "Hi", "Hi"))
    assert inbox.envelopes[0].rcpt_tos == ["änn@people.example"]


@pytest.mark.parametrize("field", ["to", "subject"])
async def test_no_header_can_be_smuggled_in(inbox: Inbox, plain: int, field: str) -> None:
    message = {"to": MESSAGE.to, "subject": "Hi", "text": "Hi", field: "a@b.example\r\nBcc: eve@evil.example"}
    with pytest.raises(MailError):
        await SmtpMailer(f"smtp://127.0.0.1:{plain}", SENDER, timeout=5).send(Message(**message))
    assert inbox.envelopes == []


async def test_credentials_go_through_tls(
    inbox: Inbox, guarded: int, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    url = f"smtp://no-reply%40acme.example:p%40ss@localhost:{guarded}"
    await SmtpMailer(url, SENDER, timeout=5, tls=certificate[1]).send(MESSAGE)
    assert inbox.logins == [(b"no-reply@acme.example", b"p@ss")]
    assert len(inbox.envelopes) == 1


async def test_a_server_that_cannot_be_verified_gets_nothing(inbox: Inbox, guarded: int) -> None:
    with pytest.raises(MailError, match="localhost did not take the mail"):
        await SmtpMailer(f"smtp://u:p@localhost:{guarded}", SENDER, timeout=5).send(MESSAGE)
    assert inbox.logins == []


async def test_credentials_are_kept_from_a_remote_server_without_tls(
    inbox: Inbox, plain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saas.kit.mail._LOCAL", frozenset())
    with pytest.raises(MailError) as refused:
        await SmtpMailer(f"smtp://u:secret@127.0.0.1:{plain}", SENDER, timeout=5).send(MESSAGE)
    assert "secret" not in str(refused.value)
    assert inbox.logins == []
    assert inbox.envelopes == []


async def test_a_server_that_is_silent_or_gone_is_an_error() -> None:
    async def be_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(5)
        finally:
            writer.close()

    server = await asyncio.start_server(be_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(MailError):
        await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER, timeout=0.1).send(MESSAGE)
    server.close()
    with pytest.raises(MailError):
        await SmtpMailer("smtp://127.0.0.1:1", SENDER, timeout=1).send(MESSAGE)


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = open_client(servers.redis_url, 5.0)
    await client.delete("saas:mailbox")
    yield client
    await client.aclose()


async def test_the_mailbox_keeps_the_newest_hundred(redis: Redis) -> None:
    mailbox = MailboxMailer(redis)
    for number in range(102):
        await mailbox.send(Message(MESSAGE.to, f"Message {number}", MESSAGE.text))
    kept = await mailbox.messages()
    assert [kept[0].subject, kept[-1].subject, len(kept)] == ["Message 101", "Message 2", 100]
    assert (kept[0].to, kept[0].text) == (MESSAGE.to, MESSAGE.text)
    assert datetime.now(UTC) - kept[0].sent_at < timedelta(minutes=1)
    assert 0 < await redis.ttl("saas:mailbox") <= 7 * 86_400


async def test_a_mailbox_that_cannot_be_reached_is_an_error() -> None:
    client = open_client("redis://127.0.0.1:1", 0.5)
    with pytest.raises(MailError):
        await MailboxMailer(client).send(MESSAGE)
    await client.aclose()


async def test_without_a_setting_no_mail_goes() -> None:
    with pytest.raises(MailNotConfigured, match="SAAS_MAIL_URL"):
        await NoMailer().send(MESSAGE)


def test_a_server_needs_a_sender() -> None:
    MailSettings(url=SecretStr("smtps://mail.example.com"), sender=SENDER)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": SecretStr("http://mail.example.com"), "sender": SENDER},
        {"url": SecretStr("smtp://"), "sender": SENDER},
        {"url": SecretStr("smtp://mail.example.com")},
    ],
)
def test_settings_that_are_wrong_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MailSettings(**wrong)
