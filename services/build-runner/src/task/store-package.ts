import { checkArchive } from '@floy/service-kit/check-archive';
import type { StoredArtifact } from '@floy/service-kit/artifact-store';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { fetchPackage, LARGEST_PACKAGE } from '../package/fetch-package.js';
import type { TaskRun } from './build.js';

/** A server that sends nothing for so long is taken for dead. Seconds. */
const idleSeconds = 60;

/** Fetches a package that was built elsewhere, looks into it, and keeps it as it is. */
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
  await checkArchive(createReadStream(file));
  const stored = await deps.artifacts.put(file);
  log(`Stored ${stored.sha256} (${stored.size} bytes)\n`);
  return stored;
}
