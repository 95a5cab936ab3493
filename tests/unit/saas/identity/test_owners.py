import pytest
from sqlalchemy import select

from saas.identity.errors import EmailTaken, InvalidEmail, UserNotFound
from saas.identity.models import UserRow
from saas.identity.passwords import hash_password, verify_password
from saas.identity.service import check_email, create_owner, email_key, set_password
from saas.services import Services
from tenants.registry import Tenant


@pytest.mark.parametrize(
    "email",
    ["ann@example.com", "a.b+c@sub.example.com", "o'neil@example.com", "jürgen@example.com", f"{'x' * 64}@example.com"],
)
def test_addresses(email: str) -> None:
    assert check_email(f" {email}\n") == email


@pytest.mark.parametrize(
    "email",
    [
        *("", "@", "ann", "ann@", "@example.com", "ann@localhost", "ann@@example.com", "ann@example..com"),
        *("a b@example.com", "ann@exam ple.com", "ann@example.com, bob@example.com", "ann\0@example.com"),
        *(".ann@example.com", "ann.@example.com", "a..b@example.com", '"ann"@example.com', "ann@[127.0.0.1]"),
        *("<ann@example.com>", "ann@example.com\r\nBcc: bob@example.com", "x" * 65 + "@example.com"),
        "a@" + "x" * 63 + "." + "y" * 63 + "." + "z" * 63 + "." + "z" * 63 + ".com",
    ],
)
def test_no_addresses(email: str) -> None:
    with pytest.raises(InvalidEmail, match=r"ann@example\.com"):
        check_email(email)


def test_spellings_of_one_address() -> None:
    assert email_key("Ann@Example.COM") == email_key("ann@example.com")


async def test_hashes_are_argon2id_and_salted(dear_hashes: None) -> None:
    first, second = await hash_password("hunter2"), await hash_password("hunter2")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert await verify_password("hunter2", first)
    assert not await verify_password("hunter3", first)


async def test_owner_is_unique_by_address_and_can_get_a_new_password(services: Services, tenant: Tenant) -> None:
    async with services.database.tenant_session(tenant) as session:
        await create_owner(session, "Ann@Example.com", "one")
        with pytest.raises(EmailTaken):
            await create_owner(session, "ann@example.COM", "two")
        await set_password(session, " ANN@example.com ", "three")
        with pytest.raises(UserNotFound):
            await set_password(session, "bob@example.com", "four")
    async with services.database.tenant_session(tenant) as session:
        ann = (await session.scalars(select(UserRow).where(UserRow.email == "Ann@Example.com"))).one()
        assert (ann.name, ann.roles, ann.password_hash) == ("Ann", ["owner"], "three")
