-- Revision 0007 instead of b0bbdd653d8d3d47304e56251406cbd53037211a4811c36f05a65a4114d6b0ae. Made by `python -m migrations.flatten`.

CREATE TABLE audit_events (
    id uuid NOT NULL,
    "position" bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    action text NOT NULL,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text,
    client_id text,
    target_kind text,
    target_id text,
    target_name text,
    address text,
    request_id text,
    details text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_events_position_key UNIQUE ("position"),
    CONSTRAINT audit_events_pkey PRIMARY KEY (id),
    CONSTRAINT audit_events_actor_kind CHECK ((actor_kind = ANY (ARRAY['user'::text, 'client'::text, 'operator'::text, 'system'::text, 'anonymous'::text])))
);

CREATE INDEX audit_events_action_idx ON audit_events USING btree (action, "position");

CREATE INDEX audit_events_actor_idx ON audit_events USING btree (actor_id, "position");

CREATE INDEX audit_events_occurred_idx ON audit_events USING btree (occurred_at);

CREATE INDEX audit_events_target_idx ON audit_events USING btree (target_id, "position");

CREATE TABLE audit_head (
    id bigint NOT NULL,
    "position" bigint NOT NULL,
    hash bytea NOT NULL,
    pruned_position bigint NOT NULL,
    pruned_hash bytea NOT NULL,
    CONSTRAINT audit_head_pkey PRIMARY KEY (id),
    CONSTRAINT audit_head_single CHECK ((id = 1))
);

CREATE TABLE kept_answers (
    client_id text NOT NULL,
    subject text NOT NULL,
    key text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    fingerprint bytea NOT NULL,
    status bigint NOT NULL,
    answer bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT kept_answers_pkey PRIMARY KEY (client_id, subject, key)
);

CREATE INDEX kept_answers_created_idx ON kept_answers USING btree (created_at);

CREATE TABLE users (
    id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    name text NOT NULL,
    password_hash text,
    roles text[] NOT NULL,
    disabled_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    email_verified_at timestamp with time zone,
    CONSTRAINT users_email_key UNIQUE (email_key),
    CONSTRAINT users_pkey PRIMARY KEY (id)
);

CREATE TABLE oauth_assertions (
    digest bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT oauth_assertions_pkey PRIMARY KEY (digest)
);

CREATE INDEX oauth_assertions_expires_idx ON oauth_assertions USING btree (expires_at);

CREATE TABLE oauth_clients (
    id uuid NOT NULL,
    client_id text NOT NULL,
    name text NOT NULL,
    grant_types text[] NOT NULL,
    scopes text[] NOT NULL,
    default_scopes text[] NOT NULL,
    token_endpoint_auth_method text NOT NULL,
    revoked_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    redirect_uris text[] NOT NULL,
    post_logout_redirect_uris text[] NOT NULL,
    first_party boolean NOT NULL,
    id_token_signed_response_alg text NOT NULL,
    resources text[] NOT NULL,
    jwks text,
    backchannel_logout_uri text,
    kind text,
    tokens_since timestamp with time zone,
    CONSTRAINT oauth_clients_client_id_key UNIQUE (client_id),
    CONSTRAINT oauth_clients_pkey PRIMARY KEY (id)
);

CREATE TABLE oauth_revocations (
    id text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT oauth_revocations_pkey PRIMARY KEY (id)
);

CREATE INDEX oauth_revocations_expires_idx ON oauth_revocations USING btree (expires_at);

CREATE TABLE policies (
    name text NOT NULL,
    second_factor text NOT NULL,
    session_idle bigint,
    session_lifetime bigint,
    password_min bigint NOT NULL,
    allowed_email_domains text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT policies_pkey PRIMARY KEY (name),
    CONSTRAINT policies_name CHECK ((name = 'sign-in'::text)),
    CONSTRAINT policies_second_factor CHECK ((second_factor = ANY (ARRAY['none'::text, 'admins'::text, 'everyone'::text])))
);

CREATE TABLE projects (
    id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    status text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT projects_pkey PRIMARY KEY (id),
    CONSTRAINT projects_status CHECK ((status = ANY (ARRAY['active'::text, 'archived'::text])))
);

CREATE INDEX projects_created_idx ON projects USING btree (created_at, id);

CREATE INDEX projects_name_idx ON projects USING btree (name, id);

CREATE TABLE roles (
    name text NOT NULL,
    description text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT roles_pkey PRIMARY KEY (name)
);

CREATE TABLE signing_keys (
    id uuid NOT NULL,
    kid text NOT NULL,
    algorithm text NOT NULL,
    status text NOT NULL,
    public_jwk text NOT NULL,
    private_key bytea NOT NULL,
    activated_at timestamp with time zone,
    retired_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT signing_keys_kid_key UNIQUE (kid),
    CONSTRAINT signing_keys_pkey PRIMARY KEY (id),
    CONSTRAINT signing_keys_status CHECK ((status = ANY (ARRAY['next'::text, 'active'::text, 'retiring'::text, 'retired'::text])))
);

CREATE TABLE spent_challenges (
    digest bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT spent_challenges_pkey PRIMARY KEY (digest)
);

CREATE INDEX spent_challenges_expires_idx ON spent_challenges USING btree (expires_at);

CREATE TABLE usage_batches (
    id uuid NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    CONSTRAINT usage_batches_pkey PRIMARY KEY (id)
);

CREATE INDEX usage_batches_taken_idx ON usage_batches USING btree (taken_at);

CREATE TABLE usage_hours (
    hour timestamp with time zone NOT NULL,
    client_id text NOT NULL,
    requests bigint NOT NULL,
    refusals bigint NOT NULL,
    would_refuse bigint NOT NULL,
    cost bigint NOT NULL,
    CONSTRAINT usage_hours_pkey PRIMARY KEY (hour, client_id)
);

CREATE TABLE mailed_links (
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT mailed_links_digest_key UNIQUE (digest),
    CONSTRAINT mailed_links_pkey PRIMARY KEY (id),
    CONSTRAINT mailed_links_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE,
    CONSTRAINT mailed_links_purpose CHECK ((purpose = ANY (ARRAY['reset'::text, 'invitation'::text])))
);

CREATE INDEX mailed_links_expires_idx ON mailed_links USING btree (expires_at);

CREATE INDEX mailed_links_user_idx ON mailed_links USING btree (user_id);

CREATE TABLE passkeys (
    user_id uuid NOT NULL,
    name text NOT NULL,
    host text NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    synced boolean NOT NULL,
    transports text[] NOT NULL,
    last_used_at timestamp with time zone,
    id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT passkeys_credential_key UNIQUE (credential_id),
    CONSTRAINT passkeys_pkey PRIMARY KEY (id),
    CONSTRAINT passkeys_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX passkeys_user_idx ON passkeys USING btree (user_id);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    used_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, digest),
    CONSTRAINT recovery_codes_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE TABLE sessions (
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    authenticated_at timestamp with time zone NOT NULL,
    amr text[] NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    address text NOT NULL,
    user_agent text NOT NULL,
    id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone,
    CONSTRAINT sessions_digest_key UNIQUE (digest),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX sessions_expires_idx ON sessions USING btree (expires_at);

CREATE INDEX sessions_user_idx ON sessions USING btree (user_id);

CREATE TABLE totp_factors (
    user_id uuid NOT NULL,
    secret bytea NOT NULL,
    last_step bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT totp_factors_pkey PRIMARY KEY (user_id),
    CONSTRAINT totp_factors_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE TABLE oauth_client_secrets (
    id uuid NOT NULL,
    client uuid NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT oauth_client_secrets_pkey PRIMARY KEY (id),
    CONSTRAINT oauth_client_secrets_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE
);

CREATE INDEX oauth_client_secrets_client_idx ON oauth_client_secrets USING btree (client);

CREATE TABLE oauth_consents (
    user_id uuid NOT NULL,
    client uuid NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT oauth_consents_pkey PRIMARY KEY (user_id, client),
    CONSTRAINT oauth_consents_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE,
    CONSTRAINT oauth_consents_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX oauth_consents_client_idx ON oauth_consents USING btree (client);

CREATE TABLE oauth_device_codes (
    digest bytea NOT NULL,
    user_code text NOT NULL,
    grant_id uuid NOT NULL,
    client uuid NOT NULL,
    scopes text[] NOT NULL,
    resource text,
    status text NOT NULL,
    "interval" bigint NOT NULL,
    last_polled_at timestamp with time zone,
    user_id uuid,
    session_id uuid,
    authenticated_at timestamp with time zone,
    amr text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT oauth_device_codes_digest_key UNIQUE (digest),
    CONSTRAINT oauth_device_codes_user_code_key UNIQUE (user_code),
    CONSTRAINT oauth_device_codes_pkey PRIMARY KEY (id),
    CONSTRAINT oauth_device_codes_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE,
    CONSTRAINT oauth_device_codes_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE,
    CONSTRAINT oauth_device_codes_status CHECK ((status = ANY (ARRAY['pending'::text, 'approved'::text, 'denied'::text, 'redeemed'::text])))
);

CREATE INDEX oauth_device_codes_expires_idx ON oauth_device_codes USING btree (expires_at);

CREATE TABLE oauth_logout_deliveries (
    client uuid NOT NULL,
    subject text NOT NULL,
    session_id uuid NOT NULL,
    attempts bigint NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT oauth_logout_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT oauth_logout_deliveries_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE
);

CREATE INDEX oauth_logout_deliveries_next_idx ON oauth_logout_deliveries USING btree (next_attempt_at);

CREATE TABLE oauth_pushed_requests (
    digest bytea NOT NULL,
    client uuid NOT NULL,
    parameters text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT oauth_pushed_requests_digest_key UNIQUE (digest),
    CONSTRAINT oauth_pushed_requests_pkey PRIMARY KEY (id),
    CONSTRAINT oauth_pushed_requests_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE
);

CREATE INDEX oauth_pushed_requests_expires_idx ON oauth_pushed_requests USING btree (expires_at);

CREATE TABLE oauth_refresh_families (
    handle bytea NOT NULL,
    digest bytea NOT NULL,
    previous_digest bytea,
    answer bytea,
    rotated_at timestamp with time zone,
    client uuid NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid,
    scopes text[] NOT NULL,
    resource text,
    authenticated_at timestamp with time zone NOT NULL,
    amr text[] NOT NULL,
    last_used_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT oauth_refresh_families_handle_key UNIQUE (handle),
    CONSTRAINT oauth_refresh_families_pkey PRIMARY KEY (id),
    CONSTRAINT oauth_refresh_families_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE,
    CONSTRAINT oauth_refresh_families_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX oauth_refresh_families_client_idx ON oauth_refresh_families USING btree (client);

CREATE INDEX oauth_refresh_families_expires_idx ON oauth_refresh_families USING btree (expires_at);

CREATE INDEX oauth_refresh_families_user_idx ON oauth_refresh_families USING btree (user_id);

CREATE TABLE oauth_codes (
    digest bytea NOT NULL,
    grant_id uuid NOT NULL,
    client uuid NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid NOT NULL,
    redirect_uri text NOT NULL,
    code_challenge text NOT NULL,
    scopes text[] NOT NULL,
    nonce text,
    resource text,
    authenticated_at timestamp with time zone NOT NULL,
    amr text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    redeemed_at timestamp with time zone,
    id uuid NOT NULL,
    CONSTRAINT oauth_codes_digest_key UNIQUE (digest),
    CONSTRAINT oauth_codes_pkey PRIMARY KEY (id),
    CONSTRAINT oauth_codes_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE,
    CONSTRAINT oauth_codes_session_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE,
    CONSTRAINT oauth_codes_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX oauth_codes_expires_idx ON oauth_codes USING btree (expires_at);

CREATE TABLE oauth_session_clients (
    session_id uuid NOT NULL,
    client uuid NOT NULL,
    CONSTRAINT oauth_session_clients_pkey PRIMARY KEY (session_id, client),
    CONSTRAINT oauth_session_clients_client_fkey FOREIGN KEY (client) REFERENCES oauth_clients(id) ON DELETE CASCADE,
    CONSTRAINT oauth_session_clients_session_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);

CREATE INDEX oauth_session_clients_client_idx ON oauth_session_clients USING btree (client);

INSERT INTO audit_head (id, position, hash, pruned_position, pruned_hash) VALUES (1, 0, decode('0000000000000000000000000000000000000000000000000000000000000000', 'hex'), 0, decode('0000000000000000000000000000000000000000000000000000000000000000', 'hex'));
