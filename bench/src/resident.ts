import { readFile } from 'node:fs/promises';

/** VmRSS of a process, in units of a million bytes. */
export function residentMegabytes(pid: number): Promise<number> {
  return statusMegabytes(pid, 'VmRSS');
}

/** The most that a process ever had resident (VmHWM), in units of a million bytes. */
export function peakMegabytes(pid: number): Promise<number> {
  return statusMegabytes(pid, 'VmHWM');
}

async function statusMegabytes(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const line = status.split('\n').find((each) => each.startsWith(`${name}:`));
  if (line === undefined) throw new Error('This bench reads /proc, which only Linux has');
  return (Number.parseInt(line.slice(name.length + 1), 10) * 1024) / 1e6;
}
