import { closeSync, readdirSync, readFileSync } from 'node:fs';

const CLOSED_BY_EXEC = 0o2_000_000;

/**
 * Closes what this process was started with beyond its standard streams. Node marks its own
 * descriptors so that no program it starts gets them, and of inherited ones the first few; a shell
 * cannot close one of two digits. Does nothing where the system does not tell.
 */
export function closeInherited(): void {
  for (const name of entriesOf('/proc/self/fd')) {
    try {
      const info = readFileSync(`/proc/self/fdinfo/${name}`, 'latin1');
      const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '', 8);
      if (Number(name) > 2 && (flags & CLOSED_BY_EXEC) === 0) closeSync(Number(name));
    } catch {
      // The one by which the list was read is closed already.
    }
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
