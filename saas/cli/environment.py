"""What a command finds: the settings of its environment, and servers where they name none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from saas.cli import output
from saas.dev import embedded, master_key
from saas.dev.demo import Memory
from saas.settings import Settings

_TABLE: Final = "the README lists the settings"


def load_settings() -> Settings:
    """The settings of the environment; ends the command where one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        output.fail("; ".join(_wrong_setting(detail) for detail in error.errors(include_url=False)))
    except SettingsError as error:
        output.fail(f"A variable holds more than one setting ({error}): {_TABLE}")


@contextmanager
def servers(settings: Settings, *, own_key: bool = False) -> Iterator[Settings]:
    """The settings with servers and a master key: the data folder's for what is not set.

    A master key is made for an embedded database, or where `own_key` asks for it: a new one cannot read what an
    existing database holds.
    """
    database, redis = settings.database, settings.redis
    own_database, own_redis = not database.url, not redis.url
    if not own_database and not own_redis:
        yield _with_key(settings, create=own_key)
        return
    with embedded(settings.data, postgres=own_database, valkey=own_redis) as own:
        changes: dict[str, Any] = {}
        if own_redis:
            changes["redis"] = redis.model_copy(update={"url": own.redis_url})
        if own_database:
            changes["database"] = database.model_copy(update={"url": own.database_url})
            url = Memory.load(settings.data).public_url  # tenants are where `saas dev` serves them
            if url and "url" not in settings.public.model_fields_set:
                changes["public"] = settings.public.model_copy(update={"url": url})
        complete = settings.model_copy(update=changes)
        yield _with_key(with_mailbox(complete) if own_redis else complete, create=own_key or own_database)


def with_mailbox(settings: Settings) -> Settings:
    """Mail goes where `saas dev` shows it, unless something says where it goes, or people come by https."""
    mail = settings.mail
    if {"url", "mailbox"} & mail.model_fields_set or settings.public.origin.scheme == "https":
        return settings
    return settings.model_copy(update={"mail": mail.model_copy(update={"mailbox": True})})


def _with_key(settings: Settings, *, create: bool) -> Settings:
    if settings.secrets.master_key.get_secret_value():
        return settings
    key = master_key(settings.data, create=create)
    if not key:
        output.fail("SAAS_SECRETS_MASTER_KEY is not set: give it the key that the servers of this database use")
    return settings.model_copy(update={"secrets": settings.secrets.model_copy(update={"master_key": SecretStr(key)})})


def _wrong_setting(detail: Any) -> str:
    """What pydantic found, in the operator's words. Never the value, which may be secret."""
    variable = "SAAS_" + "_".join(str(part) for part in detail["loc"]).upper()
    if detail["type"] == "extra_forbidden":
        return f"{variable} is not a setting: {_TABLE}"
    return f"{variable}: {detail['msg'].removeprefix('Value error, ')}"
