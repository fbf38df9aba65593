import { setTimeout as delay } from 'node:timers/promises';
import { readInstanceRows, type InstanceRows } from '@floy/database/read-models/instance-rows';
import { answerQuestion, beginQuestion } from '@floy/database/repositories/questions';
import {
  beginInstance,
  beginStep,
  finishInstance,
  finishStop,
  giveUpInstance,
  isStopping,
  type Observation,
} from '@floy/database/transitions/instance-work';
import { beginLook, finishLook } from '@floy/database/transitions/look-work';
import type { InstanceIds } from '@floy/contracts';
import type { Transaction } from '@floy/database/transaction';
import type { Work } from '@floy/messaging/handlers';
import type { ServiceDeps } from '@floy/service-kit/service';

/** How often a gate is looked at. Milliseconds. */
const gateMs = 30;

const idsOf = ({ deployment_id, instance_id }: InstanceIds) => ({
  deploymentId: deployment_id,
  instanceId: instance_id,
});

/** A row of the table, as one worker with the lease of its target sees it. */
async function rowAtWork({ database, sealer }: ServiceDeps, work: Work, ids: InstanceIds) {
  const rows = await database.transaction((tx) => readInstanceRows(tx, sealer, ids.instance_id));
  const row = String(rows.target.place['row']);
  return {
    rows,
    row,
    /** Changes the row unless a later worker has been there: the epoch is the target's own lock. */
    async change(columns: string, values: unknown[]): Promise<void> {
      const changed = await database.transaction((tx) =>
        tx.execute(`UPDATE places SET epoch = ?, ${columns} WHERE row = ? AND epoch <= ?`, [
          work.lease.epoch,
          ...values,
          row,
          work.lease.epoch,
        ]),
      );
      if (changed !== 1) throw new Error(`a later worker has been at ${row}`);
    },
    note: (what: string) =>
      database.transaction((tx) =>
        tx.execute('INSERT INTO journal (row, release, what, pid) VALUES (?, ?, ?, ?)', [
          row,
          rows.release.id,
          what,
          process.pid,
        ]),
      ),
    async hasBegun(): Promise<boolean> {
      const sql = "SELECT 1 FROM journal WHERE row = ? AND release = ? AND what = 'begin'";
      return (
        (await database.transaction((tx) => tx.row(sql, [row, rows.release.id]))) !== undefined
      );
    },
    async isOpen(): Promise<boolean> {
      const sql = 'SELECT 1 FROM closed_gates WHERE version = ?';
      const closed = await database.transaction((tx) => tx.row(sql, [rows.content.version]));
      return closed === undefined;
    },
  };
}

export function stageHandler(deps: ServiceDeps) {
  return {
    begin: (tx: Transaction, ids: InstanceIds) => beginInstance(tx, idsOf(ids), 'staging'),
    async run(work: Work, ids: InstanceIds): Promise<void> {
      const at = await rowAtWork(deps, work, ids);
      const step = { name: 'stage', touches: false };
      await beginStep(deps.database, work.lease, ids.instance_id, step);
      await at.change('staged = ?', [at.rows.content.version]);
      const end = { status: 'staged', message: '', observation: null } as const;
      await work.finish((tx) => finishInstance(tx, idsOf(ids), end));
    },
    dead: (tx: Transaction, ids: InstanceIds, reason: string) =>
      giveUpInstance(tx, idsOf(ids), reason),
  };
}

export function switchHandler(deps: ServiceDeps) {
  return {
    begin: (tx: Transaction, ids: InstanceIds) => beginInstance(tx, idsOf(ids), 'switching'),
    async run(work: Work, ids: InstanceIds): Promise<void> {
      const at = await rowAtWork(deps, work, ids);
      // A step that another worker had begun is gone on with, not begun again.
      if (await at.hasBegun()) await at.note('resume');
      else {
        const step = { name: 'switch', touches: true };
        await beginStep(deps.database, work.lease, ids.instance_id, step);
        await at.note('begin');
      }
      while (!(await at.isOpen())) await delay(gateMs, undefined, { signal: work.signal });
      await at.change('version = staged', []);
      await at.note('end');
      const { content } = at.rows;
      const broken = content.version.endsWith('-broken');
      await work.finish((tx) =>
        finishInstance(tx, idsOf(ids), {
          status: broken ? 'failed' : 'succeeded',
          message: broken ? `${at.row} is broken` : '',
          observation: { releaseId: content.id, observed: 'new' },
        }),
      );
    },
    dead: (tx: Transaction, ids: InstanceIds, reason: string) =>
      giveUpInstance(tx, idsOf(ids), reason),
  };
}

export function lookHandler(deps: ServiceDeps) {
  return {
    begin: (tx: Transaction, ids: InstanceIds) => beginLook(tx, idsOf(ids)),
    async run(work: Work, ids: InstanceIds): Promise<void> {
      const at = await rowAtWork(deps, work, ids);
      const sql = 'SELECT 1 FROM sick_rows WHERE row = ?';
      const sick = await deps.database.transaction((tx) => tx.row(sql, [at.row]));
      const observation = await observe(deps, at.row, at.rows);
      await work.finish((tx) =>
        finishLook(tx, idsOf(ids), { sickened: sick ? `${at.row} is sick` : '', observation }),
      );
    },
    dead: (tx: Transaction, ids: InstanceIds, reason: string) =>
      finishLook(tx, idsOf(ids), { sickened: reason, observation: null }),
  };
}

export function stopHandler(deps: ServiceDeps) {
  return {
    begin: (tx: Transaction, { instance_id }: InstanceIds) => isStopping(tx, instance_id),
    async run(work: Work, ids: InstanceIds): Promise<void> {
      const at = await rowAtWork(deps, work, ids);
      await at.change('staged = staged', []);
      await at.note('stop');
      const seen = await observe(deps, at.row, at.rows);
      await work.finish((tx) => finishStop(tx, idsOf(ids), seen));
    },
    dead: (tx: Transaction, ids: InstanceIds) => finishStop(tx, idsOf(ids), null),
  };
}

async function observe(
  { database }: ServiceDeps,
  row: string,
  { content, target }: InstanceRows,
): Promise<Observation> {
  const sql = 'SELECT version FROM places WHERE row = ?';
  const seen = await database.transaction((tx) => tx.row<{ version: string }>(sql, [row]));
  return seen?.version === content.version
    ? { releaseId: content.id, observed: 'new' }
    : { releaseId: target.current_release_id, observed: 'other' };
}

export function answerHandler({ database, sealer }: ServiceDeps) {
  return {
    async run({ question_id }: { question_id: string }): Promise<void> {
      const begun = await database.transaction((tx) => beginQuestion(tx, sealer, question_id));
      if (!begun) return;
      const rows = await database.transaction((tx) =>
        tx.rows<{ row: string; version: string }>('SELECT row, version FROM places ORDER BY row'),
      );
      const value = rows.map(({ row, version }) => ({
        host: row,
        running: true,
        status: version,
        pid: 0,
        uptime: '',
      }));
      await database.transaction((tx) =>
        answerQuestion(tx, sealer, question_id, { ok: true, value }),
      );
    },
  };
}
