"""Mail that we send: through SMTP, or, in development, into a mailbox that a page shows."""

import json
import ssl
from dataclasses import asdict, dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
from redis.asyncio import Redis
from redis.exceptions import RedisError

from saas.kit.clock import utc_now

_MAILBOX: Final = "saas:mailbox"
_MAILBOX_SIZE: Final = 100
_MAILBOX_SECONDS: Final = 604_800
_PORTS: Final = {"smtp": 587, "smtps": 465}
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class MailError(Exception):
    """A message did not go out. `str(error)` is for operators and holds no secret."""


class MailNotConfigured(MailError):
    """Nobody said how mail is to be sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text to one person."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    async def send(self, message: Message) -> None:
        """Hand the message over. Raises MailError."""


class SmtpMailer:
    """One connection a message. Credentials never leave without TLS, but to this very machine."""

    def __init__(self, url: str, sender: str, *, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        """`url` is one that MailSettings accepts; `timeout` in seconds, for each step; `tls` replaces the default."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._implicit_tls = parts.scheme == "smtps"
        # None: where the server offers it.
        self._start_tls = False if self._implicit_tls else (True if self._user and self._host not in _LOCAL else None)
        self._sender = sender
        self._timeout = timeout
        self._tls = tls

    async def send(self, message: Message) -> None:
        try:
            await aiosmtplib.send(
                self._composed(message),
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._implicit_tls,
                start_tls=self._start_tls,
                tls_context=self._tls,
                timeout=self._timeout,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailError(f"{self._host} did not take the mail: {type(error).__name__}: {error}") from error

    def _composed(self, message: Message) -> EmailMessage:
        """RFC 5322; a line break in a header is a ValueError. Auto-Submitted (RFC 3834) keeps absence notes away."""
        composed = EmailMessage(policy=SMTPUTF8)
        composed["From"] = self._sender
        composed["To"] = message.to
        composed["Subject"] = message.subject
        composed["Date"] = format_datetime(utc_now())
        composed["Message-ID"] = make_msgid(domain=parseaddr(self._sender)[1].rpartition("@")[2])
        composed["Auto-Submitted"] = "auto-generated"
        composed.set_content(message.text)
        return composed


@dataclass(frozen=True, slots=True)
class KeptMessage:
    to: str
    subject: str
    text: str
    sent_at: datetime


class MailboxMailer:
    """Keeps the newest hundred messages of all tenants for a week. For development: whoever asks may read them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def send(self, message: Message) -> None:
        kept = json.dumps(asdict(message) | {"sent_at": utc_now().isoformat()})
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.lpush(_MAILBOX, kept)
        pipeline.ltrim(_MAILBOX, 0, _MAILBOX_SIZE - 1)
        pipeline.expire(_MAILBOX, _MAILBOX_SECONDS)
        try:
            await pipeline.execute()
        except RedisError as error:
            raise MailError(f"The mailbox cannot be reached: {error}") from error

    async def messages(self) -> list[KeptMessage]:
        """The newest first. Raises RedisError."""
        kept = [json.loads(raw) for raw in await self._redis.lrange(_MAILBOX, 0, -1)]
        return [KeptMessage(**one | {"sent_at": datetime.fromisoformat(one["sent_at"])}) for one in kept]


class NoMailer:
    """Where nothing is configured."""

    async def send(self, message: Message) -> None:  # noqa: ARG002 - the protocol's
        raise MailNotConfigured("No mail is sent: set SAAS_MAIL_URL and SAAS_MAIL_SENDER")
