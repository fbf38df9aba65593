import { readdirSync, readFileSync } from 'node:fs';

/**
 * Freezes a process and its children: connections stay open, nothing answers. Answers how to thaw
 * them again.
 */
export function freeze(pid: number): () => void {
  // The parent first: it starts no further child meanwhile.
  process.kill(pid, 'SIGSTOP');
  const frozen = [pid, ...childrenOf(pid)];
  for (const each of frozen) signal(each, 'SIGSTOP');
  return () => {
    for (const each of frozen.toReversed()) signal(each, 'SIGCONT');
  };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
