// Makes, once, what a fleet under Docker Compose needs and nobody has given: keys and passwords, as
// files that services read through X_FILE.  make-keys.mjs KEYS_FOLDER POSTGRES_FOLDER
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [keys, postgres] = process.argv.slice(2);
if (!keys || !postgres) throw new Error('usage: make-keys.mjs KEYS_FOLDER POSTGRES_FOLDER');

/** The file's text: kept, or made and then kept whole or not at all. */
function kept(folder, name, mode, make) {
  const file = join(folder, name);
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const made = make();
  writeFileSync(`${file}.new`, `${made}\n`);
  chmodSync(`${file}.new`, mode);
  renameSync(`${file}.new`, file);
  return made;
}

// Read by another user, that of Postgres, in a volume that nobody else mounts.
const password = kept(postgres, 'password', 0o444, () => randomBytes(24).toString('hex'));
kept(keys, 'database-url', 0o400, () => `postgres://floy:${password}@postgres:5432/floy`);
kept(keys, 'encryption-key', 0o400, () => randomBytes(32).toString('base64'));
kept(keys, 'admin-token', 0o400, () => `floy_${randomBytes(24).toString('base64url')}`);
