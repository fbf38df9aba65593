import { rowOf } from './statement.js';
import type { Transaction } from './transaction.js';
import type { KnownBuild } from './transitions/plan-workflow.js';

/** What a build has made, and what it is known by. */
export interface NewBuild {
  readonly buildKey: string;
  readonly applicationId: string;
  readonly sha256: string;
  /** Bytes of the artifact. */
  readonly size: number;
  readonly image: string | null;
  readonly commit: string;
}

/** Remembers a build by its key: of two that make the same at once, the first one counts. */
export async function rememberBuild(tx: Transaction, build: NewBuild): Promise<void> {
  const { sha256, size } = build;
  await tx.knex('artifacts').insert({ sha256, size }).onConflict('sha256').ignore();
  const row = {
    build_key: build.buildKey,
    application_id: build.applicationId,
    artifact_sha256: sha256,
    image: build.image,
    commit: build.commit,
  };
  await tx.knex('builds').insert(row).onConflict('build_key').ignore();
}

/** The build with this key, if its artifact is there: it need not be made again. */
export async function knownBuild(tx: Transaction, buildKey: string): Promise<KnownBuild | null> {
  const [row] = await tx.together(
    rowOf<{ artifact_sha256: string | null; image: string | null; commit: string }>(
      'SELECT artifact_sha256, image, commit FROM builds WHERE build_key = ?',
      [buildKey],
    ),
  );
  if (!row) return null;
  const { artifact_sha256: sha256, image, commit } = row;
  const result = {
    ...(sha256 === null ? {} : { artifact_url: `/api/v1/artifacts/${sha256}`, sha256 }),
    ...(image === null ? {} : { image }),
    commit,
    build_key: buildKey,
    reused: true,
  };
  return { result, kept: { artifact_sha256: sha256, image, commit } };
}

/** Forgets the builds of an artifact that the store no longer has: the next deployment builds anew. */
export async function forgetBuildsOf(tx: Transaction, sha256: string): Promise<void> {
  await tx.execute('DELETE FROM builds WHERE artifact_sha256 = ?', [sha256]);
}
