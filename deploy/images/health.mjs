// The health check of a container: exits 0 when the process in it is ready.
const port = process.env.FLOY_OPS_PORT ?? '8081';
const answer = await fetch(`http://127.0.0.1:${port}/readyz`, {
  signal: AbortSignal.timeout(2500),
}).catch(() => undefined);
process.exit(answer?.ok ? 0 : 1);
