import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.js';

/** How something a process depends on is: `degraded` is unwell, but the process can do its work. */
export interface Check {
  readonly status: 'ok' | 'degraded' | 'down';
  /** Why, for a reader; no secrets. */
  readonly reason?: string;
}

/** Each thing a process depends on, by name: `database`, `queue`. */
export type Checks = Readonly<Record<string, Check>>;

/** What the operations server tells of. */
export interface OpsServerOptions {
  readonly host: string;
  /** 0 picks one. */
  readonly port: number;
  readonly metrics: Metrics;
  checks(): Checks | Promise<Checks>;
}

/** Health and metrics of a process, on a port that users have no business with. */
export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

const CHECK_MS = 2000;

/**
 * Serves `/healthz` (the process answers), `/readyz` (503 when anything is down, else 200; each
 * check by name) and `/metrics`.
 */
export async function startOpsServer(options: OpsServerOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(response, 405, {});
    if (path === '/healthz') return json(response, 200, { status: 'ok' });
    if (path === '/readyz') return void readiness(options).then((it) => json(response, ...it));
    if (path !== '/metrics') return json(response, 404, {});
    options.metrics.exposition().then(
      ({ text, contentType }) => {
        response.setHeader('Content-Type', contentType);
        response.end(text);
      },
      () => json(response, 500, {}),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readiness(options: OpsServerOptions): Promise<[code: number, body: object]> {
  const checks = await withinTime(options).catch((error: unknown): Checks => {
    return { checks: { status: 'down', reason: String(error) } };
  });
  const all = Object.values(checks).map(({ status }) => status);
  const status = all.includes('down') ? 'down' : all.includes('degraded') ? 'degraded' : 'ok';
  return [status === 'down' ? 503 : 200, { status, checks }];
}

async function withinTime(options: OpsServerOptions): Promise<Checks> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${CHECK_MS} ms`)), CHECK_MS);
  });
  try {
    return await Promise.race([options.checks(), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function json(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
