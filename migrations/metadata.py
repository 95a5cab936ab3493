"""The models' metadata, complete: what autogenerate compares the revisions with. Only migrations need all of it."""

from sqlalchemy import MetaData

from saas import features
from saas.audit import models as audit
from saas.idempotency import models as idempotency
from saas.identity import models as identity
from saas.keys import models as keys
from saas.oauth import models as oauth
from saas.oauth.grants import models as grants
from saas.usage import models as usage
from tenants import models as registry
from tenants.base import PlatformBase, TenantBase

PLATFORM: MetaData = PlatformBase.metadata
TENANT: MetaData = TenantBase.metadata

#: A module's tables are part of the metadata once it is imported; `features` brings in those of every feature.
MODULES = (audit, features, grants, idempotency, identity, keys, oauth, registry, usage)
