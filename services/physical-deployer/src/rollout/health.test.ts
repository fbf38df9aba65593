import { VerdictError } from '@floy/domain';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { failure, type HostFixture, startHostFixture } from '../../testing/host-fixture.js';
import { stageHost } from './stage-host.js';
import { switchHost } from './switch-host.js';

const describeHere = await needsSshd();
describeHere('the health of a host', () => {
  let fixture: HostFixture;
  let server: Server;
  let url: string;
  let answer: (response: ServerResponse, asked: number) => void;
  let asked = 0;
  beforeAll(async () => {
    fixture = await startHostFixture({ hosts: 1 });
    server = createServer((_, response) => answer(response, (asked += 1)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/healthz`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await fixture.stop();
  });

  const roll = async (
    settings: Parameters<HostFixture['release']>[1] extends infer C | undefined
      ? C extends { settings?: infer S }
        ? S
        : never
      : never,
    answers: typeof answer = (response) => response.end('ok'),
  ): Promise<void> => {
    answer = answers;
    asked = 0;
    const release = await fixture.release(fixture.deployPath(), { settings });
    const work = fixture.work();
    await stageHost(fixture.hosts, work, release);
    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
  };
  const late = (): string =>
    `not healthy within 1 s on 127.0.0.1:${fixture.host().port} (health_check_timeout)`;
  const health = { from: 'host' as const, timeoutSeconds: 1, minHealthySeconds: 0 };

  it.each(['host', 'deployer'] as const)(
    'is asked for from the %s until it is good',
    async (from) => {
      await roll({ health: { ...health, url, from, timeoutSeconds: 10 } }, (response, count) => {
        response.statusCode = count < 4 ? 503 : 204;
        response.end();
      });
      expect(asked).toBe(4);
    },
  );

  it('shows each look in the deploy log, with what was asked and what was wrong', async () => {
    const lines: string[] = [];
    answer = (response, count) => {
      response.statusCode = count < 3 ? 503 : 200;
      response.end('starting');
    };
    asked = 0;
    const release = await fixture.release(fixture.deployPath(), {
      settings: { health: { ...health, url, timeoutSeconds: 10 } },
    });
    const work = fixture.work({ log: (line) => lines.push(line) });
    await stageHost(fixture.hosts, work, release);
    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    const looks = lines.filter((line) => line.startsWith('health, look '));
    expect(looks.map((line) => line.replace(/after [\d.]+ s/, 'after T s'))).toEqual([
      `health, look 1 after T s: not healthy: ${url} answered 503: starting`,
      'health, look 2 after T s: the same',
      `health, look 3 after T s: healthy (current, status_command, ${url} from the host)`,
    ]);
  });

  it('has to last', async () => {
    const flapping = failure(
      roll({ health: { ...health, url, minHealthySeconds: 2 } }, (response, count) => {
        response.statusCode = count === 2 ? 500 : 200;
        response.end();
      }),
    );
    expect((await flapping).message).toMatch(
      /healthy, but no longer after 1 of 2 s: .* answered 500/,
    );
    const began = performance.now();
    await roll({ health: { ...health, url, minHealthySeconds: 1 } });
    expect(performance.now() - began).toBeGreaterThan(1000);
    expect(asked).toBeGreaterThan(1);
  });

  it('a bad answer is a verdict with what it said', async () => {
    const error = await failure(
      roll({ health: { ...health, url } }, (response) => {
        response.statusCode = 500;
        response.end('no database');
      }),
    );
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toBe(`${late()}: ${url} answered 500: no database`);
  });

  it('a redirect is no good answer', async () => {
    const error = await failure(
      roll({ health: { ...health, url } }, (response) => {
        response.writeHead(302, { location: 'https://example.com/' }).end();
      }),
    );
    expect(error.message).toContain('answered 302');
  });

  it('a service that hangs or drips does not hold the release', async () => {
    const dripping = await failure(
      roll({ health: { ...health, url, from: 'deployer' } }, (response) => {
        response.writeHead(200, { 'content-length': 10 }).write('x');
      }),
    );
    expect(dripping.message).toContain('did not answer within 1 s');
    const hanging = await failure(roll({ health: { ...health, url } }, () => {}));
    expect(hanging.message).toContain('did not answer within 1 s');
    const nobody = await failure(roll({ health: { ...health, url: 'http://127.0.0.1:1/' } }));
    expect(nobody.message).toContain('could not be reached');
  });

  it.each(['host', 'deployer'] as const)(
    'a service that answers 101 does not hold the release, asked from the %s',
    async (from) => {
      const switching = await failure(
        roll({ health: { ...health, url, from } }, (response) => {
          response.socket?.write('HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
        }),
      );
      expect(switching.message).toContain('without an answer');
    },
  );

  it('commands count as much', async () => {
    const status = await failure(roll({ health, statusCommand: 'echo dead; exit 3' }));
    expect(status.message).toBe(`${late()}: status_command ended with exit code 3: dead`);
    const command = 'test "$FLOY_VERSION" = v1 && echo "not yet" && exit 1';
    const checked = await failure(roll({ health: { ...health, command } }));
    expect(checked.message).toContain('health_check_command ended with exit code 1: not yet');
    const moved = await failure(
      roll({ health, restartCommand: 'ln -sfn / ../../current', statusCommand: 'true' }),
    );
    expect(moved.message).toContain('current points to ');
  });
});
