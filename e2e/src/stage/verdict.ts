import { expect } from '@jest/globals';
import { readLedger } from './application.js';
import type { Stage } from './stage.js';

/**
 * The oracle of the fault tests, by the hosts' own ledgers and the record: no restart was repeated,
 * none ran beside another, none is unfinished, and no status was left but by the transition table.
 */
export async function expectSound(
  stage: Stage,
  options: { repeats?: boolean } = {},
): Promise<void> {
  for (const place of stage.places()) {
    const ledger = await readLedger(place);
    expect(ledger.filter(({ what }) => what === 'OVERLAP')).toEqual([]);
    if (options.repeats) continue;
    const begun = ledger.filter(({ what }) => what === 'begin').map(({ release }) => release);
    const runs = await restartsWanted(stage, place);
    // A release is restarted once per release row that switched to it: forward, undo, rollback.
    for (const [release, wanted] of runs) {
      expect([release, begun.filter((each) => each === release).length]).toEqual([release, wanted]);
    }
  }
  const open = await stage.fleet.query(
    "SELECT id, status FROM deployments WHERE settled_at IS NULL OR status IN ('pending', 'running')",
  );
  expect(open).toEqual([]);
  const slots = await stage.fleet.query('SELECT * FROM slots');
  expect(slots).toEqual([]);
  const held = await stage.fleet.query(
    'SELECT * FROM leases WHERE holder IS NOT NULL AND expires_at > now()',
  );
  expect(held).toEqual([]);
}

/** How often each release folder should have been restarted on a place, by the record. */
async function restartsWanted(stage: Stage, place: string): Promise<Map<string, number>> {
  const rows = await stage.fleet.query<{ dir: string; runs: number }>(
    `SELECT v.git_tag || '-' || c.id AS dir, count(*)::int AS runs
     FROM release_instances i
     JOIN releases c ON c.id = i.content_release_id JOIN versions v ON v.id = c.version_id
     JOIN targets t ON t.id = i.target_id
     WHERE t.place->>'deploy_path' = $1 AND i.status = 'succeeded' GROUP BY 1`,
    [place],
  );
  return new Map(rows.map(({ dir, runs }) => [dir, runs]));
}
