import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { samePort } from './kept-port.js';

it('waits for a port on which children of a killed server still listen', async () => {
  const child = createServer();
  await new Promise<void>((resolve) => child.listen(0, '127.0.0.1', resolve));
  const { port } = child.address() as AddressInfo;
  let again: number | undefined;
  const waiting = samePort(port).then((answer) => (again = answer));
  // Somebody who is refused has asked after the first look at the port.
  await expect(
    new Promise<void>((resolve, reject) => {
      createServer()
        .once('error', reject)
        .listen(port, '127.0.0.1', () => resolve());
    }),
  ).rejects.toThrow('EADDRINUSE');
  expect(again).toBeUndefined();
  await new Promise((resolve) => child.close(resolve));
  expect(await waiting).toBe(port);
});
