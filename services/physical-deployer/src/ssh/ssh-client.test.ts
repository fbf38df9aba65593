import { CouldNotTellError, VerdictError } from '@floy/domain';
import { startSshdFleet, type SshdFleet } from '@floy/local-servers/sshd';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { connectSsh, type SshClient } from './ssh-client.js';

const describeHere = await needsSshd();
describeHere('a connection to a host', () => {
  let folder: string;
  let fleet: SshdFleet;
  const connect = (
    index = 0,
    verify = async (_: string): Promise<void> => {},
  ): Promise<SshClient> => {
    const host = fleet.hosts[index];
    if (host === undefined) throw new Error('no such host');
    return connectSsh({ ...host, privateKey: fleet.privateKey }, verify);
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-ssh-'));
    fleet = await startSshdFleet({ folder, hosts: 2, config: ['MaxSessions 1'] });
  });
  afterAll(async () => {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('runs scripts one after another and tells their output and exit codes', async () => {
    const client = await connect();
    const marks: string[] = [];
    const onMark = (word: string, rest: string): number => marks.push(`${word}:${rest}`);
    expect(await client.run('echo out; echo err >&2; exit 3')).toEqual({
      code: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(
      await client
        .run('cat; floy_mark seen a "b  c"; kill -9 $$', { onMark, marks: { seen: 1 } })
        .catch(String),
    ).toContain('The remote shell ended before the command');
    expect(marks).toEqual(['seen:a b  c']);
    expect((await client.run('printf %s "$0"')).code).toBe(0);
    client.close();
    await expect(client.run('true')).rejects.toThrow(CouldNotTellError);
  });

  it('shares the one session that a host allows', async () => {
    const client = await connect();
    const results = await Promise.all(
      Array.from({ length: 5 }, (_, index) => client.run(`echo ${index}`)),
    );
    expect(results.map((result) => result.stdout)).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n']);
    client.close();
  });

  it('does not wait for what a script leaves running, and keeps only the end of much output', async () => {
    const client = await connect();
    const started = await client.run('sleep 300 & echo $!');
    expect(started.code).toBe(0);
    process.kill(Number(started.stdout));
    const much = await client.run('yes 0123456789 | head -c 20000000; echo end');
    expect(much.stdout.length).toBe(64 * 1024);
    expect(much.stdout.endsWith('end\n')).toBe(true);
    client.close();
  });

  it('sends exactly the bytes a script asks for', async () => {
    const client = await connect();
    const block = Buffer.alloc(1024 * 1024, 'floy');
    const size = 64 * block.length;
    const path = join(folder, 'sent');
    const result = await client.run(`floy_ask; head -c ${size} >${path}; wc -c <${path}`, {
      input: {
        size,
        open: () =>
          Readable.from(
            (function* () {
              for (let i = 0; i < 64; i += 1) yield block;
            })(),
          ),
      },
    });
    expect(Number(result.stdout)).toBe(size);
    expect((await readFile(path)).subarray(-8).toString()).toBe('floyfloy');
    const cut = client.run(`floy_ask; head -c 100 >/dev/null`, {
      input: { size: 100, open: () => Readable.from([Buffer.from('short')]) },
    });
    await expect(cut).rejects.toThrow('5 of 100 bytes');
    client.close();
  });

  it('carries out nothing of an input that a script has left unread', async () => {
    const client = await connect();
    const path = join(folder, 'carried-out');
    const commands = Buffer.from(`\necho carried out >>${path}\n`.padStart(512, '#'));
    const size = 2000 * commands.length;
    const open = (): Readable =>
      Readable.from(
        (function* () {
          for (let i = 0; i < 2000; i += 1) yield commands;
        })(),
      );
    const failing = 'floy_ask; head -c 100000 | sh -c "read -r line; kill -9 \\$\\$"; exit 1';
    const result = await client.run(failing, { input: { size, open } });
    expect(result.code).toBe(1);
    // The one session that the host allows is free again only when that shell has ended.
    expect((await client.run(`cat ${path}`)).stdout).toBe('');
    client.close();
  });

  it('asks before it authenticates, and a refused host key sees no attempt', async () => {
    const refuse = async (fingerprint: string): Promise<void> => {
      throw new VerdictError(`changed to ${fingerprint}`);
    };
    const host = fleet.hosts[1];
    await expect(connect(1, refuse)).rejects.toThrow(`changed to ${host?.hostKeyFingerprint}`);
    const log = await readFile(host?.logFile ?? '', 'utf8');
    expect(log).not.toMatch(/publickey|user/i);
  });

  it('tells a key that is not accepted from a host that is not there', async () => {
    const host = fleet.hosts[0];
    if (host === undefined) throw new Error('no host');
    const other = await readFile(join(folder, 'sshd-2', 'host_key'), 'utf8');
    const verify = async (): Promise<void> => {};
    await expect(connectSsh({ ...host, privateKey: other }, verify)).rejects.toThrow(VerdictError);
    await expect(connectSsh({ ...host, privateKey: 'x' }, verify)).rejects.toThrow('ssh_key');
    await expect(connectSsh({ ...host, port: 1, privateKey: other }, verify)).rejects.toThrow(
      CouldNotTellError,
    );
  });

  it('reaches what the host can reach', async () => {
    const server = createServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const client = await connect();
    const stream = await client.dial('127.0.0.1', port);
    stream.write('GET / HTTP/1.0\r\n\r\n');
    const chunks = await stream.toArray();
    expect(Buffer.concat(chunks).toString()).toContain('hello');
    await expect(client.dial('127.0.0.1', 1)).rejects.toThrow();
    client.close();
    server.close();
  });
});
