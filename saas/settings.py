"""Every setting of the product: read once from the environment, frozen, handed down from `saas.main`.

A group's field is one variable: `settings.database.pool_size` is `SAAS_DATABASE_POOL_SIZE`.
"""

import base64
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tenants.database_names import named_urls, parse_weights
from tenants.errors import InvalidName
from tenants.names import Origin

_KEY_BYTES = 32


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Group):
    """PostgreSQL."""

    url: str = Field("", description="`postgresql://` URL; empty: the embedded server of the data folder")
    pool_size: int = Field(10, ge=1, le=1000, description="connections that a process may hold")
    pool_timeout: float = Field(5.0, gt=0, description="seconds to wait for a free connection")
    max_tenants: int = Field(500, ge=1, description="tenants that a connection serves until it is replaced")
    statement_cache: bool = Field(True, description="prepared statements; `false` behind PgBouncer before 1.21")
    kind: Literal["postgresql", "citus"] = Field(
        "postgresql", description="`citus`: the schemas of tenants are made distributed"
    )
    weights: Annotated[dict[str, int], NoDecode] = Field(
        {}, description="how many of the new tenants go where, like `default:1,eu:3`; unnamed: 1; 0: none"
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _parse_weights(cls, value: object) -> object:
        return parse_weights(value) if isinstance(value, str) else value


class RedisSettings(_Group):
    """Valkey or Redis."""

    url: str = Field("", description="`redis://`, `rediss://` or `unix://` URL; empty: the embedded server")
    timeout: float = Field(0.5, gt=0, description="seconds until a command counts as failed")
    cluster: bool = Field(False, description="the URL leads to a node of a Valkey Cluster or Redis Cluster")


class PublicSettings(_Group):
    """Where people and programs reach the platform."""

    url: str = Field(
        "http://localhost:8000",
        description="the platform's address; tenants live at `<slug>.` before its host",
    )
    api_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="hosts, separated by commas, where `X-Tenant` picks the tenant; empty: `api.` before the host",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="proxies whose `X-Forwarded-For` is believed, separated by commas: addresses, networks, "
        "or `unix` for one that connects through a Unix socket",
    )

    @field_validator("api_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if entry != "unix":
                ip_network(entry, strict=False)
        return value

    @field_validator("url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        try:
            Origin.parse(value)
        except InvalidName as error:
            raise ValueError(str(error)) from error  # pydantic knows the variable's name
        return value

    @property
    def origin(self) -> Origin:
        return Origin.parse(self.url)

    @property
    def platform_hosts(self) -> frozenset[str]:
        return frozenset(self.api_hosts) or frozenset({f"api.{self.origin.base_domain}"})


class SecretsSettings(_Group):
    """Keys that protect what is stored."""

    master_key: SecretStr = Field(
        SecretStr(""), description="32 bytes in base64: encrypts signing keys at rest; `saas serve` needs it"
    )
    previous_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="older master keys, separated by commas, still used to read"
    )

    @field_validator("previous_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("master_key")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            decode_key(value)
        return value


class TokensSettings(_Group):
    """Access tokens, ID tokens, authorization codes and refresh tokens."""

    access_ttl: int = Field(600, ge=60, le=86_400, description="seconds until an access token expires")
    id_ttl: int = Field(3600, ge=60, le=86_400, description="seconds until an ID token expires")
    code_ttl: int = Field(60, ge=1, le=600, description="seconds until an authorization code expires")
    refresh_idle: int = Field(1_209_600, ge=60, description="seconds until a refresh token that nobody uses expires")
    refresh_absolute: int = Field(
        7_776_000, ge=60, description="seconds until a person must authorize a client anew, however it is used"
    )
    refresh_grace: int = Field(
        30, ge=0, le=300, description="seconds in which a repeated refresh gets the same answer again"
    )


class KeysSettings(_Group):
    """Signing keys of tenants: published first, then signing, then only verifying, then gone."""

    rotate_after: int = Field(7_776_000, ge=3600, description="seconds until a signing key is replaced")
    publish_before: int = Field(
        3600, ge=360, description="seconds that a key is published before it signs: clients cache the set for 300"
    )


class LimitsSettings(_Group):
    """Rate limits, and what becomes of them while Valkey is slow or gone."""

    timeout: float = Field(0.025, gt=0, description="seconds until a check gives Valkey up and is decided locally")
    failures: int = Field(3, ge=1, description="failures in a row after which Valkey is left alone for a while")
    pause: float = Field(1.0, gt=0, description="seconds until one request tries Valkey again")
    replicas: int = Field(
        1,
        ge=1,
        le=100,
        description="machines that serve the same tenants, if no more are seen: without Valkey, each admits its part",
    )
    without_valkey: Literal["degrade", "refuse"] = Field(
        "degrade", description="`degrade`: each process limits by itself meanwhile; `refuse`: 503 for what is limited"
    )
    per_address: int = Field(
        1200, ge=1, le=10**9, description="requests a minute of an address that shows no token, half of them at once"
    )
    legacy_headers: bool = Field(False, description="send `X-RateLimit-*` beside the standard's fields")


class IdentitySettings(_Group):
    """People: their browser sessions, the links that they get by mail, and how often they may try to sign in."""

    session_idle: int = Field(28_800, ge=60, description="seconds until a browser session that nobody uses ends")
    session_lifetime: int = Field(1_209_600, ge=300, description="seconds until a browser session ends in any case")
    reset_ttl: int = Field(1800, ge=60, le=86_400, description="seconds until a link to reset a password expires")
    invitation_ttl: int = Field(604_800, ge=3600, le=2_592_000, description="seconds until an invitation expires")
    attempts_per_account: int = Field(
        10, ge=1, le=10_000, description="sign-ins of one account in 15 minutes, from wherever"
    )
    attempts_per_address: int = Field(
        100, ge=1, le=1_000_000, description="sign-ins from one address in 15 minutes, to whatever accounts"
    )


class MailSettings(_Group):
    """Outgoing mail."""

    url: SecretStr = Field(
        SecretStr(""), description="`smtp://user:password@host:587`, or `smtps://`; empty: no mail is sent"
    )
    sender: str = Field("", description="the From address, like `Example <no-reply@example.com>`; needed with a URL")
    timeout: float = Field(10.0, gt=0, description="seconds until a mail server counts as gone")
    mailbox: bool = Field(False, description="development: keep mail in Valkey, to be read by anybody at /dev/mailbox")

    @field_validator("url")
    @classmethod
    def _is_smtp(cls, value: SecretStr) -> SecretStr:
        url = urlsplit(value.get_secret_value())
        if value.get_secret_value() and (url.scheme not in {"smtp", "smtps"} or not url.hostname):
            raise ValueError("write it like smtp://user:password@mail.example.com:587")
        return value

    @model_validator(mode="after")
    def _has_sender(self) -> "MailSettings":
        if self.url.get_secret_value() and "@" not in self.sender:
            raise ValueError("SAAS_MAIL_SENDER is needed with SAAS_MAIL_URL: write it like no-reply@example.com")
        return self


class WorkerSettings(_Group):
    """Background work. An interval is from the end of one round through all tenants to the next."""

    cleanup_interval: float = Field(300.0, gt=0, description="seconds between two rounds that delete what has expired")
    keys_interval: float = Field(600.0, gt=0, description="seconds between two rounds that rotate signing keys")
    logouts_interval: float = Field(
        30.0, gt=0, description="seconds between two rounds that repeat logouts; new ones are sent at once"
    )
    pool: int = Field(
        5, ge=0, le=1000, description="schemas that wait ready for new tenants, in each database; 0: none"
    )
    pool_interval: float = Field(5.0, gt=0, description="seconds between two looks at whether one was taken")
    lifecycle_interval: float = Field(
        60.0, gt=0, description="seconds between two looks at tenants to purge, former hosts and unproved domains"
    )
    usage_interval: float = Field(30.0, gt=0, description="seconds between two rounds that enter what was used")
    batch: int = Field(1000, ge=1, le=100_000, description="rows of a kind that one transaction deletes")
    parallel: int = Field(2, ge=1, le=100, description="tenants that a job works for at once")


class TenantsSettings(_Group):
    """What becomes of a tenant's host and data once it has another or is deleted."""

    grace: int = Field(2_592_000, ge=0, description="seconds until a deleted tenant is purged; till then, restore it")
    redirect: int = Field(2_592_000, ge=0, description="seconds that a renamed tenant's former host leads to it")


class UsageSettings(_Group):
    """What tenants and their clients used, by the hour."""

    keep: int = Field(400, ge=62, le=36_500, description="days that the hours of usage are kept")


class ServerSettings(_Group):
    """The HTTP server."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on")
    workers: int = Field(1, ge=1, le=256, description="processes of `saas serve`")
    body_limit: int = Field(1_048_576, ge=1024, description="largest request body, in bytes")
    telemetry: bool = Field(False, description="OpenTelemetry spans and metrics; they cost a tenth of a short request")
    shutdown_grace: int = Field(20, ge=0, description="seconds that open requests get to finish at shutdown")


class LogSettings(_Group):
    """Logs, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is written")
    format: Literal["json", "text"] = Field("json", description="`json`, or `text` for people")


class Settings(BaseSettings):
    """All groups. Raises pydantic's ValidationError where the environment holds a wrong value."""

    model_config = SettingsConfigDict(
        env_prefix="SAAS_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="ignore",
    )

    data: Path = Field(Path(".saas"), description="folder of the embedded servers and of `saas dev`")
    database: DatabaseSettings = DatabaseSettings()
    databases: dict[str, str] = Field({}, description="`postgresql://` URL of one more database, named in lower case")
    redis: RedisSettings = RedisSettings()
    public: PublicSettings = PublicSettings()
    secrets: SecretsSettings = SecretsSettings()
    tokens: TokensSettings = TokensSettings()
    keys: KeysSettings = KeysSettings()
    limits: LimitsSettings = LimitsSettings()
    identity: IdentitySettings = IdentitySettings()
    mail: MailSettings = MailSettings()
    worker: WorkerSettings = WorkerSettings()
    tenants: TenantsSettings = TenantsSettings()
    usage: UsageSettings = UsageSettings()
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()

    @field_validator("databases", mode="before")
    @classmethod
    def _name_databases(cls, value: dict[str, str]) -> dict[str, str]:
        return named_urls(value)

    @model_validator(mode="after")
    def _weights_are_of_databases(self) -> "Settings":
        unknown = self.database.weights.keys() - self.databases.keys() - {"default"}
        if unknown:
            raise ValueError(f"SAAS_DATABASE_WEIGHTS names {', '.join(sorted(unknown))}: set SAAS_DATABASES__NAME too")
        return self

    @field_validator("mail")
    @classmethod
    def _mailbox_is_for_development(cls, value: MailSettings, info: ValidationInfo) -> MailSettings:
        public: PublicSettings | None = info.data.get("public")
        if value.mailbox and public is not None and public.origin.scheme == "https":
            raise ValueError("SAAS_MAIL_MAILBOX shows everybody's mail to everybody: unset it where people use https")
        return value


def decode_key(value: SecretStr) -> bytes:
    """The bytes of a master key; ValueError, which says how to make one, unless it is 32 bytes in base64."""
    try:
        key = base64.b64decode(value.get_secret_value(), validate=True)
    except ValueError as error:
        raise ValueError("not base64: make a key with `openssl rand -base64 32`") from error
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{len(key)} bytes, not {_KEY_BYTES}: make a key with `openssl rand -base64 32`")
    return key
