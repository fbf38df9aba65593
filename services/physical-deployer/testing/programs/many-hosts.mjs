import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { makeKey } from './keys.mjs';
import { createHosts } from '../../dist/rollout/hosts.js';
import { stageHost } from '../../dist/rollout/stage-host.js';
import { switchHost } from '../../dist/rollout/switch-host.js';

/**
 * Releases to many hosts as the deployer does, with as many at once as it takes from its queue, and
 * says as JSON what that took. Words: port, how many hosts, how many at once.
 */
const [port, total, atOnce] = process.argv.slice(2).map(Number);
const privateKey = makeKey();
const folder = mkdtempSync(join(tmpdir(), 'floy-many-'));
const uncaught = [];
process.on('uncaughtException', (error) => uncaught.push(String(error.stack)));
process.on('unhandledRejection', (error) => uncaught.push(String(error?.stack ?? error)));

writeFileSync(join(folder, 'data'), randomBytes(100_000));
const archive = join(folder, 'archive.tar.gz');
execFileSync('tar', ['-czf', archive, '-C', folder, 'data']);
const bytes = readFileSync(archive);
const artifact = {
  sha256: createHash('sha256').update(bytes).digest('hex'),
  size: bytes.length,
  open: () => createReadStream(archive),
};

const hosts = createHosts();
const megabytes = () => process.memoryUsage().rss / 1e6;
const sockets = () => process.getActiveResourcesInfo().filter((kind) => /TCP/.test(kind)).length;
const handles = () => process.getActiveResourcesInfo().length;
const before = { megabytes: megabytes(), handles: handles() };
const most = { megabytes: 0, connections: 0 };
const look = setInterval(() => {
  most.megabytes = Math.max(most.megabytes, megabytes());
  most.connections = Math.max(most.connections, sockets());
}, 20);

function workOf(number) {
  return {
    id: `rel_${number}`,
    group: 'rel',
    installation: 'floy-one',
    epoch: BigInt(1_700_000_000_000 + number),
    connection: { host: '127.0.0.1', port, user: `host-${number}`, privateKey },
    retryCount: 0,
    connectMs: 20_000,
    verifyHostKey: async () => {},
    beforeStep: async () => {},
    signal: new AbortController().signal,
    redactor: { redact: (text) => text, stream: () => ({ push: (text) => text, end: () => '' }) },
    log: () => {},
  };
}
const release = {
  releaseDir: 'v1-rel_1',
  version: 'v1',
  artifact,
  filesAt: 1_700_000_000,
  settings: {
    serviceName: 'app',
    deployPath: '/srv/app',
    restartCommand: 'true',
    statusCommand: 'true',
    preSwitchRunOnce: false,
    health: { from: 'host', timeoutSeconds: 5, minHealthySeconds: 0 },
    environment: {},
    secretValues: [],
    sharedPaths: [],
    transfer: 'push',
    keepReleases: 5,
    timeoutSeconds: 30,
  },
};

/** As a queue: the next begins when one has ended. */
async function onAll(act) {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < total) await act(workOf((next += 1)));
    }),
  );
}

const began = performance.now();
try {
  await onAll((work) => stageHost(hosts, work, release));
  await onAll((work) => switchHost(hosts, work, release, { runPreSwitch: false }));
} catch (error) {
  uncaught.push(String(error.stack));
}
const seconds = (performance.now() - began) / 1000;
const kept = hosts.pool.open();
clearInterval(look);
hosts.close();
for (let looks = 0; looks < 50 && sockets() > 0; looks += 1) await wait(100);
const after = { sockets: sockets(), handles: handles() };
rmSync(folder, { recursive: true });
process.stdout.write(`${JSON.stringify({ seconds, before, most, kept, after, uncaught })}\n`);
process.exit(0);
