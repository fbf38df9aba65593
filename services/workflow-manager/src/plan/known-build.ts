import type { Transaction } from '@floy/database/transaction';

/** The result of the build with this key, if its artifact is there: it need not be made again. */
export async function knownBuild(
  tx: Transaction,
  buildKey: string,
): Promise<Record<string, unknown> | null> {
  const row = await tx.row<{
    artifact_sha256: string | null;
    image: string | null;
    commit: string;
  }>('SELECT artifact_sha256, image, commit FROM builds WHERE build_key = ?', [buildKey]);
  if (!row) return null;
  const { artifact_sha256: sha256, image, commit } = row;
  return {
    ...(sha256 === null ? {} : { artifact_url: `/api/v1/artifacts/${sha256}`, sha256 }),
    ...(image === null ? {} : { image }),
    commit,
    build_key: buildKey,
    reused: true,
  };
}
