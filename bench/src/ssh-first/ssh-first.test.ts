import { startSshdFleet, type SshdFleet } from '@floy/local-servers/sshd';
import { needsPostgres, needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRepository } from '../repository.js';
import { percentile } from '../samples.js';
import { firstContact } from './first-contact.js';

await needsPostgres();
const describeHere = await needsSshd();

describeHere('20 hosts at once that Floy has never seen', () => {
  let folder: string;
  let hosts: SshdFleet;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-first-'));
    await chmod(folder, 0o755);
    hosts = await startSshdFleet({ folder: join(folder, 'hosts'), hosts: 20 });
  });
  afterAll(async () => {
    await hosts.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('never end the process, lose a line of a log or hold up who reads the API', async () => {
    const files = { data: randomBytes(1_000_000) };
    const repository = await makeRepository(join(folder, 'repository'), files);
    const seen = await firstContact({ hosts, repository, folder, nodeOptions: [] });
    expect([seen.status, seen.reason]).toEqual(['success', '']);
    expect(seen.lost).toEqual({ pieces: 0, lines: 0 });
    expect(seen.reads.failures).toEqual([]);
    // Generous: other tests run beside it, and each host has its share of this machine.
    expect(percentile(seen.reads.milliseconds, 0.99)).toBeLessThan(3000);
  }, 120_000);
});
