// node main.mjs PORT INSTANCE
import { readFileSync } from 'node:fs';
import { createService } from './service.mjs';

const [port, instance] = process.argv.slice(2);
const stamp = JSON.parse(readFileSync(new URL('./version.json', import.meta.url), 'utf8'));
const service = createService({ ...stamp, instance });
service.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`greeter ${stamp.version} listens on ${port}\n`);
});
process.on('SIGTERM', () => {
  service.close(() => process.exit(0));
  service.closeIdleConnections();
});
