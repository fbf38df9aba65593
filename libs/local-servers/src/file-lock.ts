import { spawn } from 'node:child_process';
import { close, constants, fstat, open } from 'node:fs';
import { promisify } from 'node:util';
import { ownUid } from './exchangeable.js';

/** `O_EXLOCK | O_NONBLOCK` of macOS and the BSDs: their `open` locks. Node names neither there. */
const OPEN_LOCKED = 0x20 | 0x04;

/**
 * Opens a file and takes the kernel's lock on it (`flock`); undefined where another process has it.
 * The lock belongs to the open file, not to a name: it ends when the descriptor is closed or its
 * process ends, however it ends. Nobody else can take it who cannot open the file.
 *
 * @throws Error where the file is a link, of another user, or open to others
 */
export async function lockFile(path: string): Promise<number | undefined> {
  const onLinux = process.platform === 'linux';
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  let descriptor: number;
  try {
    // A number and no FileHandle, which the garbage collector would close.
    descriptor = await promisify(open)(path, onLinux ? flags : flags | OPEN_LOCKED, 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!onLinux && (code === 'EAGAIN' || code === 'EWOULDBLOCK')) return undefined;
    throw error;
  }
  try {
    const found = await promisify(fstat)(descriptor);
    if (!found.isFile() || found.uid !== ownUid() || (found.mode & 0o077) !== 0) {
      throw new Error(`Others could hold the lock ${path}: remove it, it is made anew`);
    }
    if (!onLinux || (await lockDescriptor(descriptor))) return descriptor;
  } catch (error) {
    await promisify(close)(descriptor);
    throw error;
  }
  await promisify(close)(descriptor);
  return undefined;
}

/**
 * Node has no `flock`. The program of that name locks the open file that it is handed, which is
 * ours, so that the lock outlives the program. False where another has it.
 */
async function lockDescriptor(descriptor: number): Promise<boolean> {
  const child = spawn('flock', ['-x', '-n', '3'], {
    env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', 'ignore', descriptor],
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new Error('The program flock is needed: install util-linux', { cause })),
    );
    child.once('exit', resolve);
  });
  if (code === 0 || code === 1) return code === 0;
  throw new Error(`The program flock failed with ${code}`);
}
