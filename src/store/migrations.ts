/** The schema as numbered steps. A step that was released is never changed; what comes later is a new one. */
import type BetterSqlite3 from 'better-sqlite3';
import { fail } from '../core/errors.ts';

export interface Migration {
  /** `user_version` after this step: 1, 2, 3 ... without gaps. */
  readonly version: number;
  readonly sql: string;
}

/** `application_id` of our databases: "DLMS". Another program's SQLite file is not touched. */
export const APPLICATION_ID = 0x444c4d53;

const FLEET = `
  CREATE TABLE fleet_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    key_check BLOB
  ) STRICT;
  INSERT INTO fleet_state (id, revision) VALUES (1, 0);

  CREATE TABLE target (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    protocol TEXT NOT NULL CHECK (protocol IN ('5', '3.1.1')),
    mode TEXT NOT NULL CHECK (mode IN ('gateway', 'device')),
    ca_file TEXT
  ) STRICT;

  CREATE TABLE line (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    link TEXT NOT NULL UNIQUE
  ) STRICT;

  CREATE TABLE meter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    line_id INTEGER NOT NULL REFERENCES line (id),
    name TEXT NOT NULL UNIQUE,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    settings TEXT NOT NULL,
    secrets BLOB NOT NULL
  ) STRICT;
  CREATE INDEX meter_line ON meter (line_id);

  CREATE TABLE point_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter_id INTEGER NOT NULL REFERENCES meter (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    interval_ms INTEGER NOT NULL CHECK (interval_ms > 0),
    UNIQUE (meter_id, name),
    UNIQUE (id, meter_id)
  ) STRICT;

  -- meter_id stands here too, so that the database itself keeps a key unique within its meter.
  CREATE TABLE point (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    meter_id INTEGER NOT NULL,
    class_id INTEGER,
    obis TEXT NOT NULL,
    attribute INTEGER NOT NULL,
    key TEXT NOT NULL,
    UNIQUE (meter_id, key),
    FOREIGN KEY (group_id, meter_id) REFERENCES point_group (id, meter_id) ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX point_of_group ON point (group_id, meter_id);

  CREATE TABLE connection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target_id INTEGER NOT NULL REFERENCES target (id),
    meter_id INTEGER REFERENCES meter (id) ON DELETE SET NULL,
    token BLOB NOT NULL,
    token_fingerprint BLOB NOT NULL UNIQUE,
    retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1))
  ) STRICT;
  CREATE INDEX connection_meter ON connection (meter_id);
  CREATE INDEX connection_target ON connection (target_id);

  CREATE TABLE learned (
    meter_id INTEGER NOT NULL REFERENCES meter (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (meter_id, kind)
  ) STRICT, WITHOUT ROWID;
`;

const LOCAL = `
  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id INTEGER NOT NULL REFERENCES connection (id),
    device TEXT NOT NULL,
    cycle_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    lane TEXT NOT NULL DEFAULT 'live' CHECK (lane IN ('live', 'backlog')),
    readings TEXT NOT NULL,
    quarantined INTEGER NOT NULL DEFAULT 0 CHECK (quarantined IN (0, 1)),
    reason TEXT
  ) STRICT;
  -- A connection's rows that wait, by id (the rowid is part of every index); the foreign key needs it whole.
  CREATE INDEX outbox_of_connection ON outbox (connection_id, quarantined);

  -- What the outbox holds, kept up to date row by row: counting a backlog of millions would stall its reader.
  CREATE TABLE outbox_depth (
    connection_id INTEGER PRIMARY KEY REFERENCES connection (id) ON DELETE CASCADE,
    pending INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    quarantined INTEGER NOT NULL
  ) STRICT;
  CREATE TRIGGER outbox_inserted AFTER INSERT ON outbox BEGIN
    INSERT INTO outbox_depth (connection_id, pending, bytes, quarantined)
    VALUES (new.connection_id, 1, octet_length(new.readings), 0)
    ON CONFLICT (connection_id) DO UPDATE SET pending = pending + 1, bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER outbox_deleted AFTER DELETE ON outbox BEGIN
    UPDATE outbox_depth SET
      pending = pending - (1 - old.quarantined),
      bytes = bytes - (1 - old.quarantined) * octet_length(old.readings),
      quarantined = quarantined - old.quarantined
    WHERE connection_id = old.connection_id;
  END;
  CREATE TRIGGER outbox_set_aside AFTER UPDATE OF quarantined ON outbox WHEN old.quarantined <> new.quarantined BEGIN
    UPDATE outbox_depth SET
      pending = pending - (new.quarantined - old.quarantined),
      bytes = bytes - (new.quarantined - old.quarantined) * octet_length(new.readings),
      quarantined = quarantined + (new.quarantined - old.quarantined)
    WHERE connection_id = new.connection_id;
  END;

  CREATE TABLE status (
    subject TEXT PRIMARY KEY,
    json TEXT NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const SECURITY = `
  -- One row, made here: a title that changed would begin the counters anew at meters which know the old one.
  CREATE TABLE installation (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    system_title BLOB NOT NULL CHECK (length(system_title) = 8)
  ) STRICT;
  -- The client system title: three letters of the maker, then five octets drawn by SQLite from the system's source.
  INSERT INTO installation (id, system_title) VALUES (1, unhex('444D4D' || hex(randomblob(5))));

  -- A row stays when its meter goes: the meter may come back with the same key, and no counter may be used twice with it.
  -- next = 4294967296: all were taken.
  CREATE TABLE invocation_counter (
    key_id BLOB PRIMARY KEY CHECK (length(key_id) = 32),
    next INTEGER NOT NULL CHECK (next BETWEEN 0 AND 4294967296),
    meter_id INTEGER REFERENCES meter (id) ON DELETE SET NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX invocation_counter_meter ON invocation_counter (meter_id);
`;

const POINT_OPTIONS = `
  -- What is not as usual with a point (unit, scaler, type, kind ...), as JSON.
  ALTER TABLE point ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
`;

const DEVICES = `
  -- JSON of what differs from the defaults.
  ALTER TABLE line ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
  -- By an operator. The breaker's suspension is the daemon's own and stands in its status.
  ALTER TABLE meter ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1));
  -- Moves when an operator wants the meter tried anew: a run of failures that was kept counts no more.
  ALTER TABLE meter ADD COLUMN resumes INTEGER NOT NULL DEFAULT 0;
`;

const PROFILES = `
  -- name@version of the template that the meter was made of, if any.
  ALTER TABLE meter ADD COLUMN template TEXT;

  -- Load profiles and event logs that are fetched. plan: key of each column, names of the event codes, as JSON.
  CREATE TABLE profile (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter_id INTEGER NOT NULL REFERENCES meter (id) ON DELETE CASCADE,
    obis TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('load', 'events')),
    interval_ms INTEGER NOT NULL CHECK (interval_ms > 0),
    plan TEXT NOT NULL,
    UNIQUE (meter_id, obis)
  ) STRICT;
`;

const COMMANDS = `
  -- Work for a meter that others ask of the daemon, journalled before it acts. What was asked (a password may be written to
  -- a meter) and what came of it stand sealed; \`subject\` and \`code\` are for lists.
  CREATE TABLE command (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL,
    verb TEXT NOT NULL,
    subject TEXT NOT NULL,
    arguments BLOB NOT NULL,
    requested_by TEXT NOT NULL,
    idempotency_key TEXT UNIQUE,
    created_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'expired', 'cancelled')),
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    started_at INTEGER,
    ended_at INTEGER,
    progress TEXT,
    code TEXT,
    error BLOB
  ) STRICT;
  CREATE INDEX command_open ON command (state, id) WHERE state IN ('queued', 'running');
  CREATE INDEX command_ended ON command (ended_at);

  -- Part 0 is the document, the parts after it are the rows of a long one, in portions.
  CREATE TABLE command_result (
    command_id INTEGER NOT NULL REFERENCES command (id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    json BLOB NOT NULL,
    PRIMARY KEY (command_id, part)
  ) STRICT, WITHOUT ROWID;
`;

const ALERTS = `
  CREATE TABLE alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    since INTEGER NOT NULL,
    cleared INTEGER,
    acknowledged INTEGER,
    detail TEXT NOT NULL,
    rival TEXT
  ) STRICT;
  CREATE UNIQUE INDEX alert_active ON alert (code, subject) WHERE cleared IS NULL;
`;

const TARGET_SETTINGS = `
  -- JSON of what differs from the defaults.
  ALTER TABLE target ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
`;

const BRIDGE_SETTINGS = `
  -- Settings of the bridge that are not the usual ones: JSON, or sealed when it is a secret.
  CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT,
    sealed BLOB,
    CHECK ((value IS NULL) <> (sealed IS NULL))
  ) STRICT, WITHOUT ROWID;
`;

const DELETED_DEVICES = `
  -- The connection behind which the meter's device was deleted in ThingsBoard, until somebody resumes the meter.
  ALTER TABLE meter ADD COLUMN deleted_from INTEGER REFERENCES connection (id) ON DELETE SET NULL;
  CREATE INDEX meter_deleted ON meter (deleted_from) WHERE deleted_from IS NOT NULL;
`;

const DROPS = `
  -- Rows that the limits of the outbox took away in one run of drops, and the first and last time of it.
  ALTER TABLE outbox_depth ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE outbox_depth ADD COLUMN dropped_since INTEGER;
  ALTER TABLE outbox_depth ADD COLUMN dropped_at INTEGER;
`;

const REPLACING = `
  -- What the names of counters are made with, sealed, once the sealing key is not the first one any more.
  ALTER TABLE installation ADD COLUMN counter_key BLOB;
  -- Where the counters of a key begin that is not known here: more than 0 once some may have been forgotten by a restore.
  ALTER TABLE installation ADD COLUMN counter_floor INTEGER NOT NULL DEFAULT 0
    CHECK (counter_floor BETWEEN 0 AND 4294967296);
`;

const SHARED_ATTRIBUTES = `
  -- What ThingsBoard was seen to want of the bridge (meter_id null) or of a meter: only a change of it is followed, so that
  -- what an operator sets here stays. JSON.
  CREATE TABLE shared_attribute (
    connection_id INTEGER NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    meter_id INTEGER REFERENCES meter (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX shared_attribute_key ON shared_attribute (connection_id, coalesce(meter_id, 0), key);
  CREATE INDEX shared_attribute_meter ON shared_attribute (meter_id);
`;

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: FLEET + LOCAL },
  { version: 2, sql: SECURITY },
  { version: 3, sql: POINT_OPTIONS },
  { version: 4, sql: DEVICES },
  { version: 5, sql: PROFILES },
  { version: 6, sql: COMMANDS },
  { version: 7, sql: ALERTS },
  { version: 8, sql: TARGET_SETTINGS },
  { version: 9, sql: BRIDGE_SETTINGS },
  { version: 10, sql: DELETED_DEVICES },
  { version: 11, sql: DROPS },
  { version: 12, sql: REPLACING },
  { version: 13, sql: SHARED_ATTRIBUTES },
];

/** The version that the steps lead to. */
export function latestVersion(migrations: readonly Migration[] = MIGRATIONS): number {
  return migrations.at(-1)?.version ?? 0;
}

export function schemaVersion(sql: BetterSqlite3.Database): number {
  return Number(sql.pragma('user_version', { simple: true }));
}

/**
 * Brings the schema up to date, each step whole or not at all. Two processes may do this at once: whoever comes second
 * finds the work done. Throws DATABASE_TOO_NEW.
 */
export function migrate(sql: BetterSqlite3.Database, migrations: readonly Migration[] = MIGRATIONS): void {
  refuseNewer(sql, migrations);
  const step = sql.transaction((migration: Migration): void => {
    if (schemaVersion(sql) >= migration.version) return;
    sql.exec(migration.sql);
    sql.pragma(`application_id = ${APPLICATION_ID}`);
    sql.pragma(`user_version = ${migration.version}`);
  });
  for (const migration of migrations) {
    if (schemaVersion(sql) < migration.version) step.immediate(migration);
  }
}

/** Throws DATABASE_TOO_NEW when a newer program has been at this database. */
export function refuseNewer(sql: BetterSqlite3.Database, migrations: readonly Migration[] = MIGRATIONS): void {
  const found = schemaVersion(sql);
  const known = latestVersion(migrations);
  if (found > known) {
    fail('DATABASE_TOO_NEW', `${sql.name} has schema version ${found}, this program knows versions up to ${known}`, {
      facts: { found, known },
    });
  }
}
