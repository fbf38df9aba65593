// Makes, once, what a fleet under Docker Compose needs and nobody has given: keys and passwords, as
// files that services read through X_FILE, each in a folder of its own, so that each service can be
// given those that it reads.  make-keys.mjs FOLDER POSTGRES_FOLDER REDIS_FOLDER
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const [folder, postgres, redis] = process.argv.slice(2);
if (!folder || !postgres || !redis) {
  throw new Error('usage: make-keys.mjs FOLDER POSTGRES_FOLDER REDIS_FOLDER');
}

/** The file's text: kept, or made and then kept whole or not at all. */
function kept(file, mode, make) {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const made = make();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // One that was cut short may lack the right to be written.
  rmSync(`${file}.new`, { force: true });
  writeFileSync(`${file}.new`, `${made}\n`, { mode: 0o600 });
  chmodSync(`${file}.new`, mode);
  renameSync(`${file}.new`, file);
  return made;
}

// Read by other users, those of Postgres and Redis, in volumes that nobody else mounts.
const made = () => randomBytes(24).toString('hex');
const password = kept(join(postgres, 'password'), 0o444, made);
const ofRedis = kept(join(redis, 'password'), 0o444, made);
kept(join(redis, 'redis.conf'), 0o444, () => `requirepass ${ofRedis}`);
kept(join(folder, 'queue/url'), 0o400, () => `redis://:${ofRedis}@redis:6379/0`);
kept(join(folder, 'database/url'), 0o400, () => `postgres://floy:${password}@postgres:5432/floy`);
kept(join(folder, 'keys/encryption-key'), 0o400, () => randomBytes(32).toString('base64'));
kept(join(folder, 'admin/token'), 0o400, () => `floy_${randomBytes(24).toString('base64url')}`);
