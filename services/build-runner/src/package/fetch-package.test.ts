import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CouldNotTellError, VerdictError } from '@floy/domain';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchPackage, type PackageLimits } from './fetch-package.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

describe('a package over https', () => {
  let folder: string;
  let server: Server;
  let origin: string;
  let ca: string;
  let requests: IncomingMessage[] = [];
  let reachedAt: string | undefined;
  const paths: Record<string, Handler> = {
    '/v1.0.0/app.tar.gz': (_request, response) => response.end('the package'),
    '/moved': (_request, response) =>
      response.writeHead(302, { location: `${origin}/v1.0.0/app.tar.gz` }).end(),
    '/missing': (_request, response) => response.writeHead(404).end(),
    '/broken': (_request, response) => response.writeHead(502).end(),
    '/says-large': (_request, response) =>
      response.writeHead(200, { 'content-length': '5000' }).write('x'),
    '/is-large': (_request, response) => {
      response.write('x'.repeat(600));
      response.end('x'.repeat(600));
    },
    '/cut': (_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('x');
      setImmediate(() => response.destroy());
    },
    '/switches': (_request, response) =>
      response.socket?.write('HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    '/silent': () => undefined,
    '/stalls': (_request, response) => response.write('x'),
    '/drips': (_request, response) => {
      const timer = setInterval(() => response.write('x'), 50);
      response.once('close', () => clearInterval(timer));
    },
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-package-'));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    execFileSync(
      'openssl',
      // prettier-ignore
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
        '-subj', '/CN=packages.example', '-addext', 'subjectAltName=DNS:packages.example',
        '-keyout', key, '-out', certificate],
      { stdio: 'pipe' },
    );
    ca = await readFile(certificate, 'utf8');
    server = createServer({ key: await readFile(key), cert: ca }, (request, response) => {
      requests.push(request);
      reachedAt = request.socket.localAddress;
      paths[request.url ?? '']?.(request, response);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    origin = `https://packages.example:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await rm(folder, { recursive: true, force: true });
  });

  const asked: string[] = [];
  function fetched(path: string, more: Partial<PackageLimits & { ca: string; url: string }> = {}) {
    requests = [];
    const limits = { bytes: 1000, seconds: 10, idleSeconds: 5, ...more };
    return fetchPackage({
      url: more.url ?? `${origin}${path}`,
      rules: {
        hosts: new Set(['packages.example', 'other.example']),
        // Leads elsewhere from the second time on, as a name does that is bound anew.
        resolve: async (hostname) => {
          asked.push(hostname);
          return [{ address: asked.length === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
        },
      },
      limits,
      file: join(folder, 'package'),
      signal: AbortSignal.timeout(20_000),
      ca: more.ca ?? ca,
    }).finally(() => asked.splice(0));
  }

  it('is stored as it was sent, from the address that was checked', async () => {
    expect(await fetched('/v1.0.0/app.tar.gz')).toBe(11);
    expect(await readFile(join(folder, 'package'), 'utf8')).toBe('the package');
    const [request] = requests;
    expect(request?.headers).toMatchObject({
      host: origin.slice('https://'.length),
      'accept-encoding': 'identity',
    });
    expect(reachedAt).toBe('127.0.0.1');
    expect(request?.headers).not.toHaveProperty('authorization');
  });

  it.each([
    ['/moved', 'redirected'],
    ['/missing', 'answered 404'],
    ['/says-large', 'larger than 1000 bytes'],
    ['/is-large', 'larger than 1000 bytes'],
  ])('%s is refused for good', async (path, reason) => {
    const fetching = fetched(path);
    await expect(fetching).rejects.toBeInstanceOf(VerdictError);
    await expect(fetching).rejects.toThrow(reason);
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['/broken', {}, 'answered 502'],
    ['/cut', {}, 'could not be fetched'],
    ['/switches', {}, 'without an answer'],
    ['/silent', { idleSeconds: 0.2 }, 'sent nothing'],
    ['/stalls', { idleSeconds: 0.2 }, 'sent nothing'],
  ])('%s may be tried again', async (path, limits, reason) => {
    const fetching = fetched(path, limits);
    await expect(fetching).rejects.toBeInstanceOf(CouldNotTellError);
    await expect(fetching).rejects.toThrow(reason);
  });

  it('has a time in which it has to arrive', async () => {
    const fetching = fetched('/drips', { seconds: 0.5 });
    await expect(fetching).rejects.toBeInstanceOf(VerdictError);
    await expect(fetching).rejects.toThrow('within 0.5 s');
  });

  it('comes from nobody whose certificate is of somebody else', async () => {
    const { port } = server.address() as AddressInfo;
    const other = fetched('', { url: `https://other.example:${port}/v1.0.0/app.tar.gz` });
    await expect(other).rejects.toBeInstanceOf(VerdictError);
    await expect(fetched('/v1.0.0/app.tar.gz', { ca: '' })).rejects.toThrow(/certificate/);
    expect(requests).toHaveLength(0);
  });

  it('is shown without what follows its path', async () => {
    const fetching = fetched('', { url: `${origin}/nothing?signature=hidden`, idleSeconds: 0.2 });
    await expect(fetching).rejects.toThrow(expect.not.stringContaining('hidden'));
  });
});
