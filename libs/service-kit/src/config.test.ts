import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Type } from 'typebox';
import { ConfigError, passwordsIn, readSettings, secretValues, unknownSettings } from './config.js';
import { coreSettings, settings } from './settings.js';

const key = Buffer.alloc(32, 7).toString('base64');
const schema = Type.Object({ ...coreSettings, FLOY_PORT: settings.FLOY_PORT });
const good = {
  FLOY_DATABASE_URL: 'postgres://floy:hush%2Fhush@db/floy',
  FLOY_ENCRYPTION_KEY: key,
};

function problemsOf(env: Record<string, string>): Readonly<Record<string, string>> {
  try {
    readSettings(schema, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return {};
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floy-config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('settings from the environment', () => {
  it('are read as their types, with defaults', () => {
    const config = readSettings(schema, { ...good, FLOY_PORT: '0', FLOY_REDIS_URL: '' });
    expect(config).toEqual({
      ...good,
      FLOY_PORT: 0,
      FLOY_OPS_HOST: '127.0.0.1',
      FLOY_OPS_PORT: 0,
      FLOY_LOG_LEVEL: 'info',
    });
  });

  it('name everything that is wrong at once, and no value', () => {
    const problems = problemsOf({
      FLOY_DATABASE_URL: 'mysql://root:secret@db/x',
      FLOY_REDIS_URL: 'not a url',
      FLOY_PORT: '70000',
      FLOY_OPS_PORT: '8o8o',
      FLOY_LOG_LEVEL: 'loud',
      FLOY_ENCRYPTION_KEY: 'c2hvcnQ=',
    });
    expect(Object.keys(problems).sort()).toEqual([
      'FLOY_DATABASE_URL',
      'FLOY_ENCRYPTION_KEY',
      'FLOY_LOG_LEVEL',
      'FLOY_OPS_PORT',
      'FLOY_PORT',
      'FLOY_REDIS_URL',
    ]);
    expect(problems['FLOY_LOG_LEVEL']).toBe('must be one of debug, info, warn, error');
    expect(JSON.stringify(problems)).not.toMatch(/secret|c2hvcnQ|loud/);
    expect(problemsOf({})['FLOY_DATABASE_URL']).toBe('must be set');
  });

  it('can each be in a file', async () => {
    const file = join(folder, 'key');
    await writeFile(file, `${key}\n`);
    const { FLOY_DATABASE_URL } = good;
    const config = readSettings(schema, { FLOY_DATABASE_URL, FLOY_ENCRYPTION_KEY_FILE: file });
    expect(config.FLOY_ENCRYPTION_KEY).toBe(key);
    expect(problemsOf({ ...good, FLOY_ENCRYPTION_KEY_FILE: file })).toEqual({
      FLOY_ENCRYPTION_KEY: 'set it or FLOY_ENCRYPTION_KEY_FILE, not both',
    });
    expect(problemsOf({ FLOY_DATABASE_URL, FLOY_ENCRYPTION_KEY_FILE: `${file}.none` })).toEqual({
      FLOY_ENCRYPTION_KEY_FILE: 'cannot be read (ENOENT)',
    });
  });

  it('refuse a URL with a password that cannot be read', () => {
    const problems = problemsOf({ ...good, FLOY_DATABASE_URL: 'postgres://u:100%@db/floy' });
    expect(problems['FLOY_DATABASE_URL']).toMatch(/must be a URL/);
    expect(passwordsIn('postgres://u:100%@db/floy')).toEqual(['100%']);
    expect(passwordsIn('postgres://u:100%25@db/floy')).toEqual(['100%']);
    expect([passwordsIn('none'), passwordsIn('redis://db')]).toEqual([[], []]);
  });

  it('tell what has to be kept out of logs', () => {
    expect(secretValues(schema, readSettings(schema, good)).sort()).toEqual([key, 'hush/hush']);
  });

  it('tell which variables are none of theirs', () => {
    const env = { FLOY_PORT_FILE: '', FLOY_PROT: '1', FLOY_TEST_RUN: '', PATH: '' };
    expect(unknownSettings(env, Object.keys(settings))).toEqual(['FLOY_PROT']);
  });
});
