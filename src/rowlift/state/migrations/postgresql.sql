CREATE TABLE batches (
    delivery_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    outcomes TEXT NOT NULL,
    updated_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_batches PRIMARY KEY (delivery_id, number)
);

CREATE TABLE budgets (
    account TEXT NOT NULL,
    next_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_budgets PRIMARY KEY (account)
);

CREATE TABLE deliveries (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    destination_uid TEXT NOT NULL,
    run_id BIGINT NOT NULL,
    spec TEXT NOT NULL,
    status TEXT NOT NULL,
    phase TEXT NOT NULL,
    active INTEGER,
    generation INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until FLOAT(53) NOT NULL,
    image_revision BIGINT,
    epoch INTEGER NOT NULL,
    suppressions BIGINT NOT NULL,
    ledger_revision BIGINT,
    next_spec TEXT,
    next_run_id BIGINT,
    cancelled_by TEXT NOT NULL,
    counts TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    finished_at FLOAT(53),
    unjudged INTEGER,
    CONSTRAINT pk_deliveries PRIMARY KEY (id)
);

CREATE INDEX ix_deliveries_run ON deliveries (run_id);

CREATE INDEX ix_deliveries_target ON deliveries (sync_uid, destination_uid, id);

CREATE INDEX ix_deliveries_unjudged ON deliveries (workspace_id) WHERE unjudged = 1;

CREATE UNIQUE INDEX uq_deliveries_active ON deliveries (sync_uid, destination_uid) WHERE active = 1;

CREATE TABLE files (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    sync_uid TEXT NOT NULL,
    target TEXT NOT NULL,
    run_id BIGINT,
    delivery_id BIGINT,
    path TEXT NOT NULL,
    state TEXT NOT NULL,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    dead_at FLOAT(53),
    CONSTRAINT pk_files PRIMARY KEY (id),
    CONSTRAINT uq_files_path UNIQUE (path)
);

CREATE INDEX ix_files_owner ON files (sync_uid, target, kind, state);

CREATE TABLE images (
    sync_uid TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    key_column TEXT NOT NULL,
    columns TEXT NOT NULL,
    form TEXT NOT NULL,
    rows BIGINT NOT NULL,
    present BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    CONSTRAINT pk_images PRIMARY KEY (sync_uid)
);

CREATE TABLE ledgers (
    sync_uid TEXT NOT NULL,
    target TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    epoch INTEGER NOT NULL,
    restored INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    settled BIGINT NOT NULL,
    mapping TEXT NOT NULL,
    account TEXT NOT NULL,
    CONSTRAINT pk_ledgers PRIMARY KEY (sync_uid, target)
);

CREATE TABLE meta (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_meta PRIMARY KEY (key)
);

CREATE TABLE runs (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    spec TEXT NOT NULL,
    status TEXT NOT NULL,
    phase TEXT NOT NULL,
    active INTEGER,
    generation INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until FLOAT(53) NOT NULL,
    source_time BIGINT,
    image_revision BIGINT,
    plan TEXT NOT NULL,
    retry_of BIGINT,
    scheduled_for BIGINT,
    cancelled_by TEXT NOT NULL,
    counts TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    finished_at FLOAT(53),
    unjudged INTEGER,
    CONSTRAINT pk_runs PRIMARY KEY (id)
);

CREATE INDEX ix_runs_sync ON runs (sync_uid, id);

CREATE INDEX ix_runs_unjudged ON runs (workspace_id) WHERE unjudged = 1;

CREATE UNIQUE INDEX uq_runs_active ON runs (workspace_id) WHERE active = 1;

CREATE UNIQUE INDEX uq_runs_slot ON runs (sync_uid, scheduled_for);

CREATE TABLE slices (
    run_id BIGINT NOT NULL,
    part TEXT NOT NULL,
    number INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    late TEXT NOT NULL,
    CONSTRAINT pk_slices PRIMARY KEY (run_id, part, number)
);

CREATE TABLE sync_state (
    sync_uid TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    paused BOOLEAN NOT NULL,
    last_sync_time BIGINT NOT NULL,
    CONSTRAINT pk_sync_state PRIMARY KEY (sync_uid)
);

CREATE TABLE workspaces (
    id BIGSERIAL NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    CONSTRAINT pk_workspaces PRIMARY KEY (id),
    CONSTRAINT uq_workspaces_name UNIQUE (name)
);

CREATE TABLE anonymous_ids (
    workspace_id BIGINT NOT NULL,
    anonymous_id TEXT NOT NULL,
    pid BIGINT NOT NULL,
    CONSTRAINT pk_anonymous_ids PRIMARY KEY (workspace_id, anonymous_id)
);

CREATE INDEX ix_anonymous_ids_pid ON anonymous_ids (pid);

CREATE TABLE events (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL,
    segment_id BIGINT NOT NULL,
    pid BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    run_id BIGINT,
    version BIGINT,
    at FLOAT(53) NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id)
);

CREATE INDEX ix_events_person ON events (pid, segment_id);

CREATE TABLE merges (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    pid BIGINT NOT NULL,
    into_pid BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    run_id BIGINT NOT NULL,
    as_of BIGINT NOT NULL,
    at FLOAT(53) NOT NULL,
    undone_at FLOAT(53),
    moved TEXT NOT NULL,
    CONSTRAINT pk_merges PRIMARY KEY (id)
);

CREATE INDEX ix_merges_into_pid ON merges (into_pid);

CREATE INDEX ix_merges_pid ON merges (pid);

CREATE TABLE numbers (
    name TEXT NOT NULL,
    next BIGINT NOT NULL,
    CONSTRAINT pk_numbers PRIMARY KEY (name)
);

CREATE TABLE objects (
    pid BIGINT NOT NULL,
    workspace_id BIGINT NOT NULL,
    object_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    attributes TEXT NOT NULL,
    origins TEXT NOT NULL,
    sync_uid TEXT NOT NULL,
    run_id BIGINT NOT NULL,
    as_of BIGINT NOT NULL,
    first_writer TEXT NOT NULL,
    other_writers BOOLEAN NOT NULL,
    contributors TEXT NOT NULL,
    revision BIGINT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    updated_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_objects PRIMARY KEY (pid)
);

CREATE UNIQUE INDEX uq_objects_id ON objects (workspace_id, object_type, object_id);

CREATE TABLE people (
    pid BIGINT NOT NULL,
    workspace_id BIGINT NOT NULL,
    id TEXT,
    email TEXT,
    email_key TEXT,
    attributes TEXT NOT NULL,
    origins TEXT NOT NULL,
    sync_uid TEXT NOT NULL,
    run_id BIGINT NOT NULL,
    as_of BIGINT NOT NULL,
    first_writer TEXT NOT NULL,
    other_writers BOOLEAN NOT NULL,
    contributors TEXT NOT NULL,
    revision BIGINT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    updated_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_people PRIMARY KEY (pid)
)
 WITH (fillfactor = 80);

CREATE UNIQUE INDEX uq_people_email_key ON people (workspace_id, email_key);

CREATE UNIQUE INDEX uq_people_id ON people (workspace_id, id);

CREATE TABLE relationships (
    pid BIGINT NOT NULL,
    workspace_id BIGINT NOT NULL,
    person_pid BIGINT NOT NULL,
    object_pid BIGINT NOT NULL,
    attributes TEXT NOT NULL,
    origins TEXT NOT NULL,
    sync_uid TEXT NOT NULL,
    run_id BIGINT NOT NULL,
    as_of BIGINT NOT NULL,
    first_writer TEXT NOT NULL,
    other_writers BOOLEAN NOT NULL,
    contributors TEXT NOT NULL,
    revision BIGINT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    updated_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_relationships PRIMARY KEY (pid)
);

CREATE INDEX ix_relationships_object ON relationships (object_pid);

CREATE UNIQUE INDEX uq_relationships_ends ON relationships (person_pid, object_pid);

CREATE TABLE segment_members (
    segment_id BIGINT NOT NULL,
    pid BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    entered_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_segment_members PRIMARY KEY (segment_id, pid)
);

CREATE INDEX ix_segment_members_pid ON segment_members (pid);

CREATE TABLE segments (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_segments PRIMARY KEY (id)
);

CREATE UNIQUE INDEX uq_segments_name ON segments (workspace_id, name);

CREATE TABLE suppression_keys (
    workspace_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT pk_suppression_keys PRIMARY KEY (workspace_id)
);

CREATE TABLE suppressions (
    number BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    hash TEXT NOT NULL,
    quick TEXT NOT NULL,
    kind TEXT NOT NULL,
    since FLOAT(53) NOT NULL,
    note TEXT NOT NULL,
    root TEXT NOT NULL,
    CONSTRAINT pk_suppressions PRIMARY KEY (number)
);

CREATE UNIQUE INDEX uq_suppressions_hash ON suppressions (workspace_id, hash);

CREATE INDEX ix_suppressions_root ON suppressions (root);

CREATE TABLE schedules (
    sync_uid TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    schedule TEXT NOT NULL,
    anchor BIGINT NOT NULL,
    settled BIGINT NOT NULL,
    next_at BIGINT,
    waiting_for BIGINT,
    skipped_since BIGINT,
    skipped INTEGER NOT NULL,
    CONSTRAINT pk_schedules PRIMARY KEY (sync_uid)
);

CREATE INDEX ix_schedules_workspace ON schedules (workspace_id);

CREATE TABLE services (
    id BIGINT NOT NULL,
    owner TEXT NOT NULL,
    generation INTEGER NOT NULL,
    active INTEGER,
    lease_until FLOAT(53) NOT NULL,
    started_at FLOAT(53) NOT NULL,
    beat_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_services PRIMARY KEY (id)
);

CREATE TABLE triggers (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at FLOAT(53) NOT NULL,
    allow_removals BOOLEAN NOT NULL,
    open INTEGER,
    run_id BIGINT,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    plan TEXT NOT NULL,
    retry_of BIGINT NOT NULL,
    CONSTRAINT pk_triggers PRIMARY KEY (id)
);

CREATE INDEX ix_triggers_workspace ON triggers (workspace_id, id);

CREATE UNIQUE INDEX uq_triggers_open ON triggers (sync_uid, plan, retry_of) WHERE open = 1;

CREATE TABLE definitions (
    uid TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    document TEXT NOT NULL,
    managed TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at FLOAT(53) NOT NULL,
    archived_at FLOAT(53),
    CONSTRAINT pk_definitions PRIMARY KEY (uid)
);

CREATE TABLE definition_versions (
    uid TEXT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    archived BOOLEAN NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_definition_versions PRIMARY KEY (uid, version)
);

CREATE TABLE secrets (
    id TEXT NOT NULL,
    uid TEXT NOT NULL,
    path TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_secrets PRIMARY KEY (id)
);

CREATE INDEX ix_secrets_uid ON secrets (uid);

CREATE UNIQUE INDEX uq_definitions_live ON definitions (workspace_id, kind, name) WHERE archived_at IS NULL;

CREATE TABLE audit (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    at FLOAT(53) NOT NULL,
    actor TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE INDEX ix_audit_workspace ON audit (workspace_id, id);

CREATE TABLE login_failures (
    id BIGSERIAL NOT NULL,
    who TEXT NOT NULL,
    at FLOAT(53) NOT NULL,
    CONSTRAINT pk_login_failures PRIMARY KEY (id)
);

CREATE INDEX ix_login_failures_who ON login_failures (who, at);

CREATE TABLE sessions (
    hash TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    seen_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_sessions PRIMARY KEY (hash)
);

CREATE INDEX ix_sessions_user_id ON sessions (user_id);

CREATE TABLE tokens (
    id BIGSERIAL NOT NULL,
    user_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    rights TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    expires_at FLOAT(53) NOT NULL,
    seen_at FLOAT(53),
    revoked_at FLOAT(53),
    CONSTRAINT pk_tokens PRIMARY KEY (id),
    CONSTRAINT uq_tokens_hash UNIQUE (hash)
);

CREATE INDEX ix_tokens_user_id ON tokens (user_id);

CREATE TABLE users (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    disabled_at FLOAT(53),
    version INTEGER NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id)
);

CREATE UNIQUE INDEX uq_users_email_key ON users (workspace_id, email_key);

CREATE TABLE ingested (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    type TEXT NOT NULL,
    received_at FLOAT(53) NOT NULL,
    body BYTEA NOT NULL,
    CONSTRAINT pk_ingested PRIMARY KEY (id)
);

CREATE TABLE message_ids (
    workspace_id BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    seen_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_message_ids PRIMARY KEY (workspace_id, message_id)
);

CREATE INDEX ix_message_ids_seen_at ON message_ids (seen_at);

CREATE TABLE message_rejects (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    at FLOAT(53) NOT NULL,
    type TEXT NOT NULL,
    message_id TEXT NOT NULL,
    identifier TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_message_rejects PRIMARY KEY (id)
);

CREATE TABLE tracked (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    pid BIGINT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    properties TEXT NOT NULL,
    message_id TEXT NOT NULL,
    at FLOAT(53) NOT NULL,
    received_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_tracked PRIMARY KEY (id)
);

CREATE INDEX ix_tracked_person ON tracked (pid, at);

CREATE TABLE write_keys (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    ending TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    revoked_at FLOAT(53),
    CONSTRAINT pk_write_keys PRIMARY KEY (id),
    CONSTRAINT uq_write_keys_hash UNIQUE (hash)
);

CREATE UNIQUE INDEX uq_write_keys_live ON write_keys (workspace_id, name) WHERE revoked_at IS NULL;

CREATE TABLE exchanges (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    destination_uid TEXT NOT NULL,
    sync_uid TEXT NOT NULL,
    at FLOAT(53) NOT NULL,
    seconds FLOAT(53) NOT NULL,
    method TEXT NOT NULL,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    body_bytes INTEGER NOT NULL,
    status INTEGER,
    reply_headers TEXT NOT NULL,
    reply TEXT NOT NULL,
    CONSTRAINT pk_exchanges PRIMARY KEY (id)
);

CREATE INDEX ix_exchanges_destination ON exchanges (destination_uid, id);

CREATE TABLE tallies (
    workspace_id BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    target TEXT NOT NULL,
    subject TEXT NOT NULL,
    label TEXT NOT NULL,
    value FLOAT(53) NOT NULL,
    CONSTRAINT pk_tallies PRIMARY KEY (workspace_id, sync_uid, target, subject, label)
);

CREATE TABLE answers (
    key TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    request TEXT NOT NULL,
    asked_at FLOAT(53) NOT NULL,
    answer TEXT,
    CONSTRAINT pk_answers PRIMARY KEY (key)
);

CREATE INDEX ix_answers_asked_at ON answers (asked_at);

CREATE TABLE alert_messages (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    channel_uid TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at FLOAT(53) NOT NULL,
    lease_until FLOAT(53) NOT NULL,
    tried_at FLOAT(53),
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_alert_messages PRIMARY KEY (id),
    CONSTRAINT uq_alert_messages_message_id UNIQUE (message_id)
);

CREATE INDEX ix_alert_messages_channel ON alert_messages (workspace_id, channel_uid, id);

CREATE TABLE alert_notices (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    channel_uid TEXT NOT NULL,
    body TEXT NOT NULL,
    at FLOAT(53) NOT NULL,
    CONSTRAINT pk_alert_notices PRIMARY KEY (id)
);

CREATE INDEX ix_alert_notices_channel ON alert_notices (workspace_id, channel_uid, id);

CREATE TABLE alert_states (
    workspace_id BIGINT NOT NULL,
    rule TEXT NOT NULL,
    sync_uid TEXT NOT NULL,
    destination_uid TEXT NOT NULL,
    run_id BIGINT,
    code TEXT NOT NULL,
    text TEXT NOT NULL,
    since FLOAT(53) NOT NULL,
    told TEXT NOT NULL,
    CONSTRAINT pk_alert_states PRIMARY KEY (workspace_id, rule, sync_uid, destination_uid)
);

CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    workspace_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    created_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_identities PRIMARY KEY (issuer, subject, workspace_id)
);

CREATE INDEX ix_identities_user_id ON identities (user_id);

CREATE TABLE logins (
    hash TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    next TEXT NOT NULL,
    begun_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_logins PRIMARY KEY (hash)
);

CREATE INDEX ix_logins_begun_at ON logins (begun_at);

CREATE TABLE forwards (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    uid TEXT NOT NULL,
    position BIGINT NOT NULL,
    upto BIGINT NOT NULL,
    settled TEXT NOT NULL,
    active INTEGER,
    generation INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until FLOAT(53) NOT NULL,
    cancelled_by TEXT NOT NULL,
    status TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at FLOAT(53) NOT NULL,
    delivered BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    suppressed BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    CONSTRAINT pk_forwards PRIMARY KEY (id),
    CONSTRAINT uq_forwards_uid UNIQUE (uid)
);

CREATE TABLE forward_rejects (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    uid TEXT NOT NULL,
    at FLOAT(53) NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    message_id TEXT NOT NULL,
    identifier TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_forward_rejects PRIMARY KEY (id)
);

CREATE INDEX ix_forward_rejects_uid ON forward_rejects (uid);

CREATE TABLE drafts (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    owner BIGINT NOT NULL,
    sync_uid TEXT NOT NULL,
    base INTEGER NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    view TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at FLOAT(53) NOT NULL,
    updated_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_drafts PRIMARY KEY (id)
);

CREATE INDEX ix_drafts_owner ON drafts (workspace_id, owner);

ALTER TABLE runs ADD COLUMN progress TEXT;

ALTER TABLE runs ADD COLUMN columns TEXT;

ALTER TABLE deliveries ADD COLUMN progress TEXT;

ALTER TABLE runs ADD COLUMN first_rows INTEGER;

CREATE TABLE audiences (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    uid TEXT NOT NULL,
    spec TEXT NOT NULL,
    asked BIGINT NOT NULL,
    answered BIGINT NOT NULL,
    active INTEGER,
    generation INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until FLOAT(53) NOT NULL,
    cancelled_by TEXT NOT NULL,
    status TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    reason TEXT NOT NULL,
    looked_at FLOAT(53) NOT NULL,
    seconds FLOAT(53) NOT NULL,
    next_at FLOAT(53) NOT NULL,
    CONSTRAINT pk_audiences PRIMARY KEY (id),
    CONSTRAINT uq_audiences_uid UNIQUE (uid)
);

CREATE TABLE audience_sizes (
    id BIGSERIAL NOT NULL,
    workspace_id BIGINT NOT NULL,
    uid TEXT NOT NULL,
    at FLOAT(53) NOT NULL,
    members BIGINT NOT NULL,
    entered BIGINT NOT NULL,
    "left" BIGINT NOT NULL,
    seconds FLOAT(53) NOT NULL,
    CONSTRAINT pk_audience_sizes PRIMARY KEY (id)
);

CREATE INDEX ix_audience_sizes_uid ON audience_sizes (uid, id);

ALTER TABLE segments ADD COLUMN audience_uid TEXT;

ALTER TABLE runs ADD COLUMN undo_of BIGINT;

ALTER TABLE sync_state ADD COLUMN paused_by_undo BIGINT;

ALTER TABLE drafts ADD COLUMN kind TEXT DEFAULT 'sync' NOT NULL;

ALTER TABLE images ADD COLUMN forgotten BIGINT DEFAULT '0' NOT NULL;

CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);

INSERT INTO alembic_version VALUES ('0019');
