/**
 * The table of a Postgres store, and everything that is ever said to it. One row is one state that was written; a row's
 * state never changes.
 *
 * The state is `text`, not `jsonb`: byte for byte what the module's `dump` came to, in the order of its keys, and nothing
 * that JSON can hold and jsonb cannot (`\u0000`). `state::jsonb` reads it in a query all the same.
 *
 * `check_at` is when a sweep should look at the row: soon after it was written, after its process has written another, or
 * after its life has ended; never (`infinity`) while it is known to be referred to. `was_past` is what the last look found.
 */

/** How long a state waits for its next look that a commit could still refer to. */
const PENDING = "interval '10 minutes'";
/** How many rows one sweep looks at: deleting as many of 8 MiB takes about a second. */
export const SWEEP_ROWS = 100;

export interface Statements {
  look: string;
  create: string;
  write: string;
  read: string;
  wipe: string;
  take: string;
  settle: string;
}

/** `table` has been checked to be a plain name, with or without a schema. */
export function composeStatements(table: string): Statements {
  const bare = table.split(".").at(-1);
  const isAt = "cluster = $1 AND pid = $2 AND incarnation = $3 AND revision = $4 AND write_id = $5";
  const key = ["cluster", "pid", "incarnation", "revision", "write_id"];
  const isJudged = key.map((column) => `s.${column} = j.${column}`).join(" AND ");
  return {
    look: `
      SELECT to_regclass('${table}') IS NOT NULL AS exists, current_setting('server_encoding') AS encoding,
        current_setting('synchronous_commit') AS durability`,
    // One string without parameters is one transaction. The lock: two that create one table at once can both fail.
    create: `
      SELECT pg_advisory_xact_lock(hashtext('${table}'));
      CREATE TABLE IF NOT EXISTS ${table} (
        cluster text NOT NULL,
        pid text NOT NULL,
        incarnation bigint NOT NULL,
        revision bigint NOT NULL,
        write_id text NOT NULL,
        state text NOT NULL,
        written_at timestamptz NOT NULL DEFAULT now(),
        check_at timestamptz NOT NULL,
        has_ended boolean NOT NULL DEFAULT false,
        was_past boolean NOT NULL DEFAULT false,
        PRIMARY KEY (${key.join(", ")})
      );
      CREATE INDEX IF NOT EXISTS ${bare}_due ON ${table} (cluster, check_at) WHERE check_at < 'infinity'`,
    // $7 keepMs
    write: `
      WITH followed AS (
        UPDATE ${table} SET check_at = now() + $7 * interval '1 ms'
        WHERE cluster = $1 AND pid = $2 AND check_at = 'infinity'
      )
      INSERT INTO ${table} (${key.join(", ")}, state, check_at)
      VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 ms')
      ON CONFLICT DO NOTHING`,
    read: `SELECT state FROM ${table} WHERE ${isAt}`,
    // $4 keepMs
    wipe: `
      UPDATE ${table} SET has_ended = true, check_at = least(check_at, now() + $4 * interval '1 ms')
      WHERE cluster = $1 AND pid = $2 AND incarnation <= $3`,
    take: `
      SELECT pid, incarnation, revision, write_id, has_ended FROM ${table}
      WHERE cluster = $1 AND check_at <= now() ORDER BY check_at LIMIT ${SWEEP_ROWS} FOR UPDATE SKIP LOCKED`,
    // $2 … $6 arrays, a verdict for each row; $7 keepMs
    settle: `
      WITH j AS (
        SELECT $1::text AS cluster, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
          AS judged (pid, incarnation, revision, write_id, verdict)
      ), wiped AS (
        DELETE FROM ${table} s USING j WHERE ${isJudged} AND verdict = 'past' AND was_past
      )
      UPDATE ${table} s SET
        was_past = verdict = 'past',
        has_ended = has_ended AND verdict = 'past',
        check_at = CASE verdict
          WHEN 'past' THEN now() + $7 * interval '1 ms'
          WHEN 'pending' THEN now() + ${PENDING}
          ELSE 'infinity' END
      FROM j WHERE ${isJudged} AND NOT (verdict = 'past' AND was_past)`,
  };
}
