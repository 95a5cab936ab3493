"""What binds a program that knows nothing of tenants to one: variables that PostgreSQL's clients read."""

from typing import TYPE_CHECKING

from sqlalchemy.engine import URL

if TYPE_CHECKING:
    from tenants.registry import Tenant


def environment_of(tenant: "Tenant", url: URL) -> dict[str, str]:
    """SAAS_TENANT and its kin; libpq's PG*; DATABASE_URL. `url` is that of the database which holds the schema.

    `search_path` is the tenant's schema alone, set when the connection starts: not for a way through PgBouncer, which
    does not pass it on.
    """
    path = f"-csearch_path={tenant.schema}"  # without a space, of which URLs make a plus sign
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    bound = url.set(drivername="postgresql").update_query_dict({"options": path})
    values = {
        "SAAS_TENANT": tenant.slug,
        "SAAS_TENANT_ID": str(tenant.id),
        "SAAS_TENANT_SCHEMA": tenant.schema,
        "SAAS_TENANT_ISSUER": tenant.issuer,
        "DATABASE_URL": bound.render_as_string(hide_password=False),
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port or query.get("port") or ""),
        "PGUSER": url.username,
        "PGPASSWORD": str(url.password) if url.password else None,
        "PGDATABASE": url.database,
        "PGSSLMODE": query.get("sslmode"),
        "PGSSLROOTCERT": query.get("sslrootcert"),
        "PGOPTIONS": path,
    }
    return {name: value for name, value in values.items() if value}
