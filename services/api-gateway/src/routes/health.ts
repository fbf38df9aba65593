import type { Checks } from '@floy/service-kit/ops-server';
import type { Express } from 'express';

/** How long the checks may take. Milliseconds. */
const CHECK_MS = 2000;

/** `/healthz` (the process answers) and `/readyz` (503 when anything it cannot do without is down). */
export function mountHealth(app: Express, ready: () => Promise<Checks>): void {
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/readyz', async (_request, response) => {
    const checks = await inTime(ready());
    const all = Object.values(checks).map(({ status }) => status);
    const status = all.includes('down') ? 'down' : all.includes('degraded') ? 'degraded' : 'ok';
    response.status(status === 'down' ? 503 : 200).json({ status, checks });
  });
}

async function inTime(checks: Promise<Checks>): Promise<Checks> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Checks>((resolve) => {
    const reason = `no answer in ${CHECK_MS} ms`;
    timer = setTimeout(() => resolve({ checks: { status: 'down', reason } }), CHECK_MS);
  });
  try {
    return await Promise.race([checks, late]);
  } finally {
    clearTimeout(timer);
  }
}
