"""OAuth clients of a tenant and their secrets. What they are granted is in `saas.oauth.grants.models`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import Identified, TenantBase, Timestamped


class ClientRow(Identified, Timestamped, TenantBase):
    __tablename__ = "oauth_clients"
    __table_args__ = (UniqueConstraint("client_id", name="oauth_clients_client_id_key"),)

    client_id: Mapped[str]
    name: Mapped[str]
    grant_types: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    #: Scopes that the client may ask for, and those it gets when it asks for none.
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    default_scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    #: RFC 7591 names: client_secret_basic, client_secret_post, ...
    token_endpoint_auth_method: Mapped[str]
    redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(Text()), default=list)
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(Text()), default=list)
    #: Of the same company as the tenant's product: it may skip consent.
    first_party: Mapped[bool] = mapped_column(default=False)
    #: The client's public keys (RFC 7517 JWK set) as JSON, for private_key_jwt.
    jwks: Mapped[str | None]
    #: Audiences of other hosts that it may ask for (RFC 8707).
    resources: Mapped[list[str]] = mapped_column(ARRAY(Text()), default=list)
    id_token_signed_response_alg: Mapped[str] = mapped_column(default="ES256")
    backchannel_logout_uri: Mapped[str | None]
    #: One of `saas.oauth.kinds`; None: it was not said.
    kind: Mapped[str | None]
    #: Its access tokens that are not younger are refused; None: all count.
    tokens_since: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ClientSecretRow(Identified, Timestamped, TenantBase):
    """One secret; after a rotation the old one lives on beside the new until it expires."""

    __tablename__ = "oauth_client_secrets"
    __table_args__ = (Index("oauth_client_secrets_client_idx", "client"),)

    client: Mapped[UUID] = mapped_column(
        ForeignKey("oauth_clients.id", name="oauth_client_secrets_client_fkey", ondelete="CASCADE")
    )
    #: SHA-256: the secret is 256 random bits.
    digest: Mapped[bytes]
    expires_at: Mapped[datetime | None]
