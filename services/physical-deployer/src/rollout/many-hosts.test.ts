import { describe, expect, it } from '@jest/globals';
import { startProgram } from '../../testing/programs.js';

const HOSTS = 1000;

describe(`a release to ${HOSTS} hosts`, () => {
  it('takes bounded memory and connections, and leaves nothing open', async () => {
    const hosts = startProgram('played-hosts');
    const deployer = startProgram('many-hosts', await hosts.firstLine, HOSTS, 256);
    try {
      const seen = JSON.parse(await deployer.firstLine) as {
        uncaught: string[];
        before: { megabytes: number; handles: number };
        most: { megabytes: number; connections: number };
        kept: number;
        after: { sockets: number; handles: number };
      };
      expect(seen.uncaught).toEqual([]);
      // Those that are kept, and as many as are being made or closed at once.
      expect(seen.kept).toBe(512);
      expect(seen.most.connections).toBeLessThanOrEqual(512 + 256);
      expect(seen.most.megabytes - seen.before.megabytes).toBeLessThan(300);
      expect(seen.after.sockets).toBe(0);
      expect(seen.after.handles).toBeLessThanOrEqual(seen.before.handles);
    } finally {
      deployer.stop();
      hosts.stop();
    }
  }, 90_000);
});
