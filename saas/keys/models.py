"""A tenant's signing keys."""

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenants.base import Identified, TenantBase, Timestamped


class SigningKeyRow(Identified, Timestamped, TenantBase):
    __tablename__ = "signing_keys"
    __table_args__ = (
        UniqueConstraint("kid", name="signing_keys_kid_key"),
        CheckConstraint("status IN ('next', 'active', 'retiring', 'retired')", name="signing_keys_status"),
    )

    #: RFC 7638 thumbprint of the public key.
    kid: Mapped[str]
    algorithm: Mapped[str]
    status: Mapped[str]
    #: The public JWK (RFC 7517) as JSON.
    public_jwk: Mapped[str]
    #: PKCS #8 DER, sealed by `saas.kit.crypto.Sealer` in the context of tenant and kid.
    private_key: Mapped[bytes] = mapped_column(info={"sealed": True})
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
