"""What the issuer publishes of itself."""

from authlib.oauth2 import rfc9207
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from saas.authserver import id_token, logout_token
from saas.authserver.grants import GRANTS
from saas.oauth.routes import routes
from tests.unit.saas.oauth.conftest import CATALOGUE, World

METADATA = "/.well-known/oauth-authorization-server"
#: With what client assertions are signed.
SIGNED_BY = [f"{name}_endpoint_auth_signing_alg_values_supported" for name in ("token", "revocation", "introspection")]
#: What OpenID Connect adds.
OPENID = [*id_token.METADATA, *logout_token.METADATA, "userinfo_endpoint", "end_session_endpoint"]


async def test_metadata_says_what_there_is(world: World) -> None:
    async with world.http(world.acme) as http:
        response = await http.get(METADATA)
    issuer = world.acme.issuer
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    openid = {name: document.pop(name) for name in OPENID}
    assert openid["subject_types_supported"] == ["public"]
    assert openid["id_token_signing_alg_values_supported"] == ["ES256", "RS256"]
    assert openid["userinfo_endpoint"] == issuer + "/oauth2/userinfo"
    assert document == {
        "issuer": issuer,
        "authorization_endpoint": issuer + "/oauth2/authorize",
        "token_endpoint": issuer + "/oauth2/token",
        "device_authorization_endpoint": issuer + "/oauth2/device_authorization",
        "pushed_authorization_request_endpoint": issuer + "/oauth2/par",
        "revocation_endpoint": issuer + "/oauth2/revoke",
        "introspection_endpoint": issuer + "/oauth2/introspect",
        "jwks_uri": issuer + "/oauth2/jwks",
        "scopes_supported": list(CATALOGUE.names),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "grant_types_supported": list(GRANTS),
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ],
        "revocation_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ],
        "introspection_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ],
        **{name: ["ES256", "RS256", "PS256", "EdDSA"] for name in SIGNED_BY},
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


async def test_metadata_names_registered_members_and_mounted_paths(world: World) -> None:
    async with world.http(world.acme) as http:
        document = (await http.get(METADATA)).json()
    assert set(document) <= {
        *AuthorizationServerMetadata.REGISTRY_KEYS,
        *OpenIDProviderMetadata.REGISTRY_KEYS,
        *OPENID,
        *rfc9207.AuthorizationServerMetadata.REGISTRY_KEYS,
        "device_authorization_endpoint",  # RFC 8628 section 4, which Authlib leaves out, like the next
        "pushed_authorization_request_endpoint",  # RFC 9126 section 5
        "prompt_values_supported",  # of "Initiating User Registration via OpenID Connect"; Authlib does not know it
    }
    mounted = {route.path for route in routes}
    urls = {name: url for name, url in document.items() if name.endswith(("_endpoint", "_uri"))}
    assert {url.removeprefix(world.acme.issuer) for url in urls.values()} <= mounted


async def test_each_tenant_publishes_its_own(world: World) -> None:
    async with world.http(world.acme) as acme, world.http(world.globex) as globex:
        assert (await globex.get(METADATA)).json()["issuer"] == world.globex.issuer
        kids = [{key["kid"] for key in (await http.get("/oauth2/jwks")).json()["keys"]} for http in (acme, globex)]
    assert len(kids[0]) == 1
    assert kids[0].isdisjoint(kids[1])


async def test_documents_may_be_cached_and_read_from_any_page(world: World) -> None:
    async with world.http(world.acme) as http:
        for path, media_type in ((METADATA, "application/json"), ("/oauth2/jwks", "application/jwk-set+json")):
            response = await http.get(path, headers={"Origin": "https://elsewhere.example"})
            assert response.headers["content-type"] == media_type
            assert response.headers["cache-control"] == "public, max-age=300"
            assert response.headers["access-control-allow-origin"] == "*"
            assert response.headers["vary"] == "X-Tenant"  # where one host serves many tenants
            assert (await http.head(path)).status_code == 200


async def test_no_private_member_is_published(world: World) -> None:
    async with world.http(world.acme) as http:
        (key,) = (await http.get("/oauth2/jwks")).json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
