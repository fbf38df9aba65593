import { writeFile } from 'node:fs/promises';
import type { Home } from './open-home.js';

/** Says where Floy is, to whoever started it and to programs that look into its folder. */
export async function announce(home: Home, address: string): Promise<void> {
  await writeFile(home.addressFile, `${address}\n`);
  const token = home.adminTokenFile ? `in ${home.adminTokenFile}` : 'as given in FLOY_ADMIN_TOKEN';
  // Standard output is the log, a JSON object a line.
  process.stderr.write(`\nFloy is ready at ${address}\nThe admin token is ${token}\n\n`);
}
