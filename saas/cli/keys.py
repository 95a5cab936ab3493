"""`saas keys`: the signing keys of tenants, and the master key that seals them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.one_tenant import TenantOption, run_in_tenant
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.keys.lifecycle import KeyInfo
    from saas.services import Services
    from tenants.registry import Tenant

app = typer.Typer(
    name="keys", help="List and rotate signing keys, and seal them under a new master key.", no_args_is_help=True
)

_COLUMNS = ("kid", "algorithm", "status", "created_at", "activated_at", "retired_at")


@app.command("list")
def list_keys(slug: TenantOption, as_json: JsonOption = False) -> None:
    """List a tenant's keys, the oldest first, retired ones included."""

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "list[KeyInfo]":
        return await services.key_lifecycle.list(session)

    _print(run_in_tenant(slug, work), as_json)


@app.command()
def rotate(
    slug: TenantOption,
    alg: Annotated[str, typer.Option(help="Which of its keys: ES256 or RS256.")] = "ES256",
    as_json: JsonOption = False,
) -> None:
    """Replace a tenant's signing key, without any token failing.

    The next key is published at once. It signs when clients have had SAAS_KEYS_PUBLISH_BEFORE seconds to fetch it:
    `saas worker` sees to it, or this command, given again.
    """

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "tuple[bool, list[KeyInfo]]":
        done = await services.key_lifecycle.rotate(session, tenant.id, alg)
        return done is not None, await services.key_lifecycle.list(session)

    changed, keys = run_in_tenant(slug, work)
    _print([key for key in keys if key.algorithm == alg], as_json)
    if not changed:
        output.note("The next key is not published long enough; nothing was changed.")


@app.command()
def rewrap(as_json: JsonOption = False) -> None:
    """Seal all keys of all tenants under the present master key.

    Afterwards SAAS_SECRETS_PREVIOUS_KEYS is no longer needed for them. Running it again is harmless. A tenant whose
    keys do not open is named and left as it is; then the exit code is 1.
    """
    done, failed = run(_rewrap_all)
    if as_json:
        output.print_json({"tenants": len(done), "rewrapped": sum(done.values()), "failed": failed})
    else:
        for failure in failed:
            output.note(f"{failure['tenant']}: {failure['cause']}")
        output.note(f"{sum(done.values())} keys of {len(done)} tenants are sealed anew.")
    if failed:
        raise typer.Exit(1)


async def _rewrap_all(services: "Services") -> tuple[dict[str, int], list[dict[str, str]]]:
    """How many keys of which tenant, and which tenants failed of what cause."""
    from saas.kit.crypto import UnsealError  # noqa: PLC0415 - slow to import: not for `--help`

    async with services.database.platform_session() as session:
        tenants = await services.registry.all(session)
    done: dict[str, int] = {}
    failed: list[dict[str, str]] = []
    for tenant in tenants:
        if tenant.status in {"active", "suspended", "deleted"}:
            try:
                async with services.database.tenant_session(tenant) as session:
                    done[tenant.slug] = await services.key_lifecycle.rewrap(session, tenant.id)
            except UnsealError as error:
                failed.append({"tenant": tenant.slug, "cause": str(error)})
    return done, failed


def _print(keys: "list[KeyInfo]", as_json: bool) -> None:
    documents: list[dict[str, Any]] = [asdict(key) for key in keys]
    if as_json:
        output.print_json(documents)
    else:
        output.print_table(_COLUMNS, [[document[column] for column in _COLUMNS] for document in documents])
