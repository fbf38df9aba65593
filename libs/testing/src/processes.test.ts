import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startServiceProcess } from './processes.js';

const program = `
import { createServer } from 'node:http';
let ready = false;
setTimeout(() => { ready = true; }, 50);
const server = createServer((request, response) => {
  response.statusCode = ready ? 200 : 503;
  response.end();
}).listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ msg: 'up', ops_port: server.address().port, given: process.env.GIVEN }));
  console.error('plain words');
});
process.on('SIGTERM', () => process.exit(0));
`;
let folder: string;
let main: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floy-process-'));
  main = join(folder, 'main.mjs');
  await writeFile(main, program);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a service as a process', () => {
  it('is started, waited for and stopped, and its log is kept', async () => {
    const service = startServiceProcess({ name: 'sample', main, env: { GIVEN: 'x' } });
    await service.waitReady();
    expect(service.log[0]).toMatchObject({ msg: 'up', given: 'x' });
    expect(await service.stop()).toBe(0);
    expect(service.log).toContainEqual({ msg: 'plain words' });
  });

  it('can be stopped in its tracks and killed', async () => {
    const service = startServiceProcess({ name: 'sample', main, env: {} });
    await service.opsUrl();
    service.kill('SIGSTOP');
    service.kill('SIGKILL');
    expect(await service.exited()).toBe('SIGKILL');
  });

  it('that dies says what it last said', async () => {
    const service = startServiceProcess({ name: 'sample', main: `${main}.missing`, env: {} });
    await expect(service.waitReady()).rejects.toThrow('MODULE_NOT_FOUND');
  });
});
