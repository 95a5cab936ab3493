"""What tests build: call a factory, name what matters to the test, and the rest is as it usually is.

Values of classes need no database. Those for services are keyword arguments, as in
`await users.create(session, tenant, **PersonFactory())`.
"""

from typing import Final
from uuid import NAMESPACE_DNS, uuid4, uuid5

import factory

from saas.kit.clock import utc_now
from saas.oauth.definition import ClientDefinition
from tenants.plans import Plan
from tenants.registry import Tenant

OWNER_PASSWORD: Final = "five early swallows"
CALLBACK: Final = "https://notes.example/callback"


class PlanFactory(factory.Factory):
    class Meta:
        model = Plan

    name = "free"
    requests_per_minute = 60
    burst = 10
    requests_per_day = 1000


class TenantFactory(factory.Factory):
    """An active tenant that no database knows; the same slug is the same tenant."""

    class Meta:
        model = Tenant

    class Params:
        base = "localhost"

    slug = "acme"
    name = factory.LazyAttribute(lambda made: made.slug.title())
    id = factory.LazyAttribute(lambda made: uuid5(NAMESPACE_DNS, made.slug))
    host = factory.LazyAttribute(lambda made: f"{made.slug}.{made.base}")
    issuer = factory.LazyAttribute(lambda made: f"http://{made.host}")
    schema = factory.LazyAttribute(lambda made: f"t_{made.id.hex}")
    status = "active"
    plan = factory.SubFactory(PlanFactory)
    domains = ()
    suspended_reason = None
    revision = None
    created_at = factory.LazyFunction(utc_now)


class NewTenantFactory(factory.DictFactory):
    """For `onboard`. Slugs are random: test sessions share no database, but their files and workers do."""

    slug = factory.LazyFunction(lambda: f"t{uuid4().hex[:12]}")
    name = factory.LazyAttribute(lambda made: made.slug.title())
    plan = "enterprise"
    owner_email = factory.LazyAttribute(lambda made: f"owner@{made.slug}.example")
    domain = None


class PersonFactory(factory.DictFactory):
    """For `UserService.create`: somebody who has no password yet."""

    email = factory.LazyFunction(lambda: f"{uuid4().hex[:12]}@people.example")
    roles = ("member",)
    password_hash = None


class MachineFactory(factory.Factory):
    """A client that acts for itself."""

    class Meta:
        model = ClientDefinition

    name = "Machine"
    grant_types = ("client_credentials",)
    scopes = ("projects:read", "projects:write")


class AppFactory(factory.Factory):
    """A confidential client that acts for people."""

    class Meta:
        model = ClientDefinition

    class Params:
        #: An app on a device without a browser.
        device = factory.Trait(grant_types=("device_code", "refresh_token"), redirect_uris=())

    name = "Notes"
    grant_types = ("authorization_code", "refresh_token")
    scopes = ("openid", "offline_access", "projects:read")
    redirect_uris = (CALLBACK,)


class AuthorizationRequestFactory(factory.DictFactory):
    """The parameters of RFC 6749 section 4.1.1 and RFC 7636. A `code_challenge` is the test's own."""

    response_type = "code"
    client_id = "app_1"
    redirect_uri = CALLBACK
    scope = "openid offline_access projects:read"
    state = factory.LazyFunction(lambda: uuid4().hex[:11])
    code_challenge = ""
    code_challenge_method = "S256"


class ProjectFactory(factory.DictFactory):
    """The body of `POST /api/v1/projects`."""

    name = factory.Sequence(lambda number: f"Project {number}")
    description = ""
    status = "active"
