// node --test check.mjs: starts the service and asks it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createService } from './src/service.mjs';

const service = createService({ version: 'v0.0.0', commit: 'none', instance: 'test' });
let address;
before(async () => {
  await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${service.address().port}`;
});
after(() => service.close());

test('says hello and which version it is', async () => {
  const answer = await fetch(address);
  const about = await answer.json();
  assert.equal(answer.status, 200);
  assert.match(about.greeting, /^Hello/);
  assert.equal(about.version, 'v0.0.0');
});

test('shows people a page', async () => {
  const answer = await fetch(address, { headers: { accept: 'text/html' } });
  assert.match(await answer.text(), /<h1>Hello/);
});

test('is healthy', async () => {
  assert.equal((await fetch(`${address}/healthz`)).status, 200);
});

test('knows nothing else', async () => {
  assert.equal((await fetch(`${address}/nothing`)).status, 404);
});
