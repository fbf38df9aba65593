import { unpackArchive } from '@floy/service-kit/unpack-archive';
import type { StoredArtifact } from '@floy/service-kit/artifact-store';
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { packArtifact } from '../artifact/pack-artifact.js';
import { fetchPackage, LARGEST_PACKAGE } from '../package/fetch-package.js';
import { withinTime, type TaskRun } from './build.js';

/** A server that sends nothing for so long is taken for dead. Seconds. */
const idleSeconds = 60;
/** Folder of the workspace that holds what is in the package. */
const UNPACKED = 'package';

/**
 * Fetches a package that was built elsewhere and keeps what is in it, packed anew: one archive may be
 * read in more than one way, and only what Floy has written itself goes to hosts.
 */
export async function storePackage(run: TaskRun, url: string): Promise<StoredArtifact> {
  const { deps, context, workspace, signal, log } = run;
  const file = join(workspace.artifact, 'package.tar.gz');
  // What follows the path may be a signature.
  log(`Fetching ${url.replace(/[?#].*/s, '')}\n`);
  await fetchPackage({
    url,
    rules: deps.packageRules,
    limits: { bytes: LARGEST_PACKAGE, seconds: context.task.timeout_seconds, idleSeconds },
    file,
    signal,
  });
  const unpacked = join(workspace.artifact, UNPACKED);
  await mkdir(unpacked, { mode: 0o700 });
  await withinTime(run, 'unpacking the package', (within) =>
    unpackArchive(createReadStream(file, { signal: within }), unpacked, undefined, within),
  );
  await rm(file);
  const stored = await withinTime(run, 'packing the package', async (within) =>
    deps.artifacts.put(await packArtifact(workspace.artifact, UNPACKED, { signal: within })),
  );
  log(`Stored ${stored.sha256} (${stored.size} bytes)\n`);
  return stored;
}
