/**
 * Keeps one command together where the system has no PID namespaces for us.
 *
 *   node supervisor.mjs UID GID MARKER PROGRAM ARGUMENT...    (UID and GID may be "-")
 *
 * Standard input is a pipe that only the runner holds: when it closes, because the runner cancels or
 * because it died, whatever the command started is killed. With a UID, which nothing else has, these
 * are all processes of that user. Without one they are the command's process group, and on Linux
 * every process whose environment holds MARKER, the path of a folder made for this one command: that
 * finds what went into a session of its own. Descriptors 1, 2 and 3 are the command's. The exit code
 * is the command's, 128 + number for a signal.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';

const [uid, gid, marker, program, ...words] = process.argv.slice(2);
const identity = uid === '-' ? {} : { uid: Number(uid), gid: Number(gid) };

const child = spawn(program, words, {
  ...identity,
  detached: true,
  stdio: ['ignore', 'inherit', 'inherit', 3],
});

/** Sends KILL until a look around finds nobody, for what is being started at this moment. */
function killAll() {
  if (uid !== '-') {
    // Who sends it is left out, and everybody else that this user may send a signal to is not.
    spawnSync('/bin/sh', ['-c', 'kill -KILL -1'], { ...identity, env: {}, stdio: 'ignore' });
    return;
  }
  for (let round = 0; round < 50; round += 1) {
    kill(-child.pid);
    const found = marked();
    for (const pid of found) kill(pid);
    if (found.length === 0) return;
  }
}

function marked() {
  const needle = Buffer.from(marker);
  let entries = [];
  try {
    entries = readdirSync('/proc');
  } catch {
    // Not Linux: the process group has to do.
  }
  return entries
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        const state = readFileSync(`/proc/${name}/stat`, 'latin1').replace(/^.*\) /s, '')[0];
        return state !== 'Z' && readFileSync(`/proc/${name}/environ`).includes(needle);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

child.once('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
child.once('exit', (code, signal) => {
  killAll();
  process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
});
process.stdin.once('close', () => {
  if (child.pid !== undefined) killAll();
  process.exit(137);
});
process.stdin.resume();
// Ctrl-C in the runner's terminal reaches this process too; the runner decides what ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
