import { needs, needsRoot } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { findPrograms } from '@floy/local-servers/find-program';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from './folders.js';

const isRoot = process.getuid?.() === 0;
const ordinary = 65534;
const [unshare] = findPrograms('unshare', process.env['PATH'] ?? '');
const allowed =
  unshare !== undefined &&
  spawnSync(unshare, ['--user', '--map-root-user', '--mount', 'true'], {
    ...(isRoot ? { uid: ordinary, gid: ordinary } : {}),
  }).status === 0;
const describeAsRoot = await needsRoot();
const describeAsOrdinary = await needs(
  'user namespaces',
  allowed ? 'the kernel' : undefined,
  'allow unprivileged user namespaces (sysctl user.max_user_namespaces, install util-linux)',
);

/** Says of each attack whether it was held. `open` is the outcome of one that succeeds. */
const TRY = `
attack() { name=$1; shift; if ( eval "$*" ) >/dev/null 2>&1; then echo "$name: OPEN"; else echo "$name: held"; fi; }
`;

/** The numbers of `add_key` and `keyctl`. */
const [addKey, keyctl] = process.arch === 'x64' ? [248, 250] : [217, 219];
/** Joins a new session keyring, puts a key into it, and becomes the rest of the words. */
const WITH_KEY = `syscall(${keyctl}, 1, 0); my ($type, $name, $secret) = ("user", "of-floy", "x");
  syscall(${addKey}, $type, $name, $secret, 1, -3) > 0 or die "$!"; exec @ARGV`;
const SEARCH_KEYRING = `perl -e "my (\\$type, \\$name) = (qw(user of-floy)); exit(syscall(${keyctl}, 10, -3, \\$type, \\$name, 0) < 0)"`;

interface Build {
  readonly folder: string;
  /** What it has printed until now. */
  output(): string;
  readonly ended: Promise<unknown>;
  pid: number;
}

describe.each([
  { who: 'root', runAs: undefined, describeHere: describeAsRoot },
  { who: 'an ordinary user', runAs: ordinary, describeHere: describeAsOrdinary },
])('two builds at once, run by $who', ({ runAs, describeHere }) => {
  describeHere('of different applications', () => {
    const floy = (isRoot ? runAs : process.getuid?.()) ?? 0;
    let own: string;
    /** Stands for FLOY_HOME. */
    let home: string;
    let running: Build[];
    let server: Server | undefined;
    beforeEach(async () => {
      own = await mkdtemp(join(tmpdir(), 'floy-isolation-'));
      await chmod(own, 0o755);
      home = join(own, 'home');
      await mkdir(home);
      await writeFile(join(home, 'encryption-key'), 'sentinel-of-floy');
      for (const path of [home, join(home, 'encryption-key')]) {
        if (isRoot) await chown(path, floy, floy);
      }
      running = [];
    });
    afterEach(async () => {
      for (const { pid, ended } of running) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended already.
        }
        await ended;
      }
      server?.close();
      server = undefined;
      await removeTree(own);
    });

    const folderOf = async (name: string): Promise<string> => {
      const folder = join(own, name);
      await mkdir(folder, { mode: 0o700 });
      if (isRoot) await chown(folder, floy, floy);
      return folder;
    };

    /** A runner of its own, since a runner cannot become somebody else twice. */
    async function build(name: string, command: string): Promise<Build> {
      const folder = await folderOf(name);
      const fixture = join(import.meta.dirname, 'runner.fixture.mjs');
      const options = JSON.stringify({ hidden: [home], ...(isRoot ? { runAs } : {}) });
      const words = ['--conditions=floy:src', fixture, 'any', folder, command, options];
      const key = await open(join(home, 'encryption-key'));
      const child = spawn('perl', ['-e', WITH_KEY, '--', process.execPath, ...words], {
        env: { PATH: process.env['PATH'], SENTINEL_OF_RUNNER: 'x' },
        // The runner is started with descriptors that it knows nothing of.
        stdio: ['ignore', 'pipe', 'pipe', ...Array<number>(20).fill(key.fd)],
      });
      await key.close();
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      }
      const ended = once(child, 'exit');
      const made = { folder, output: () => output, ended, pid: child.pid ?? 0 };
      running.push(made);
      return made;
    }

    async function victim(): Promise<Build> {
      const made = await build(
        'victim',
        `umask 0; mkdir dist; echo good >dist/artifact; chmod 777 dist . ; chmod 666 dist/artifact
         echo x >/dev/shm/of-victim; echo x >"$TMPDIR/of-victim"; echo x >/var/tmp/of-victim
         export SENTINEL_OF_VICTIM=x; ipcmk -M 64 -p 0666; ipcmk -Q -p 0666; ipcmk -S 1 -p 0666
         mkfifo pipe; echo up; sleep 6401 & cat pipe; kill $!; cat dist/artifact; ls -A . dist ~`,
      );
      await waitFor('the victim to build', () => /^up$/m.test(made.output()), {
        timeoutMs: 20_000,
      });
      return made;
    }
    /** What the machine knows of the victim, as if somebody had told the attacker. */
    async function pidsOf(text: string): Promise<string[]> {
      const found: string[] = [];
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        if (line.split('\0').includes(text)) found.push(pid);
      }
      return found;
    }
    const expectHeld = (made: Build, count: number): void => {
      const said = made.output();
      expect(said.match(/^.*: OPEN$/gm) ?? []).toEqual([]);
      expect([said, said.match(/^.*: held$/gm)?.length]).toEqual([said, count]);
    };

    it('cannot poison the artifact of the other, whatever path it knows or finds', async () => {
      const other = await victim();
      // A socket with a path in the checkout, as /proc/net/unix shows it to everybody.
      server = createServer().listen(join(other.folder, 'socket'));
      await once(server, 'listening');
      const [pid = ''] = await pidsOf('6401');
      const attacker = await build(
        'attacker',
        `${TRY}
attack 'the path itself' 'echo bad >${other.folder}/dist/artifact'
attack 'the path of a socket' 'grep -q ${other.folder} /proc/net/unix && ls "$(dirname "$(grep -o "${other.folder}/socket" /proc/net/unix | head -n 1)")"'
attack 'its process by number' 'echo bad >/proc/${pid}/cwd/dist/artifact'
attack 'its process by search' 'for each in /proc/[0-9]*/cwd /proc/[0-9]*/root/floy/build; do echo bad >$each/dist/artifact && exit 0; done; exit 1'
attack 'a hard link' 'ln ${other.folder}/dist/artifact here'
attack 'folders of runners' 'ls -d /tmp/floy-* /tmp/*/*/source /var/tmp/floy-*'
attack 'another path to the same place' 'find / -xdev -name artifact -path "*dist*" 2>/dev/null | grep -q .'
attack 'mounts that name it' 'grep -q ${other.folder} /proc/self/mountinfo && false; ls ${own}'
attack 'its environment' 'grep -alz SENTINEL_OF_VICTIM /proc/[0-9]*/environ'
attack 'the environment of the runner' 'grep -alz SENTINEL_OF_RUNNER /proc/[0-9]*/environ'
attack 'a signal to it' 'kill -9 ${pid}'
attack 'shared memory' 'test -e /dev/shm/of-victim || ipcs -m | grep -q ^0x'
attack 'message queues' 'ipcs -q | grep -q ^0x'
attack 'semaphores' 'ipcs -s | grep -q ^0x'
attack 'temporary files' 'test -e /tmp/of-victim || test -e /var/tmp/of-victim'
`,
      );
      await attacker.ended;
      expectHeld(attacker, 15);
      await writeFile(join(other.folder, 'pipe'), 'end\n');
      await other.ended;
      expect(other.output()).toMatch(/^good$/m);
      expect(other.output()).not.toContain('here');
    });

    it('cannot get out: mounts, root, setuid, terminals, descriptors, sockets, Floy itself', async () => {
      const attacker = await build(
        'attacker',
        `${TRY}
attack 'what covers a folder' 'umount ${home} || umount -l /root || umount /tmp'
attack 'what covers it, as root of a namespace' 'unshare -rm sh -c "umount /root || umount -l /run"'
attack 'a root to write to' 'mount -o remount,rw / || mount -o remount,bind,rw /usr'
attack 'the same as root of a namespace' 'unshare -rm sh -c "mount -o remount,bind,rw none /usr"'
attack 'writing to the machine' 'for each in / /usr /etc /var /opt /srv /usr/local/bin /var/lib /var/cache; do touch $each/planted && exit 0; done; exit 1'
attack 'the list of users' 'echo "evil::0:0::/:/bin/sh" >>/etc/passwd'
attack 'the namespaces of the first process' 'nsenter --target 1 --mount --pid true && ls /proc/1/root${home}/encryption-key'
attack 'tracing the first process, which the death of the runner ends' ': </proc/1/mem || : </proc/1/environ'
attack 'the session keyring of the runner' '${SEARCH_KEYRING}'
attack 'a capability' 'grep -q "CapEff:.*[1-9a-f]" /proc/self/status'
attack 'new rights' 'grep -q "NoNewPrivs:.0" /proc/self/status'
attack 'setuid programs' 'su -c id </dev/null || sudo -n id'
attack 'the file of Floy' 'cat ${home}/encryption-key'
attack 'the home of its user' 'ls -A /root ${process.env['HOME'] ?? '/root'} | grep -v : | grep -q .'
attack 'sockets of the machine' 'find /run /var/run/ -type s | grep -q .'
attack 'terminals' 'ls /dev/pts | grep -v ptmx | grep -q . || : </dev/tty'
attack 'disks and other devices' 'ls /dev | grep -qE "^(sd|vd|nvme|mem|kmsg|kvm|fuse|loop)"'
attack 'processes of others' 'ls -d /proc/[0-9]* | grep -vE "^/proc/(1|$$)$" | while read p; do tr "\\\\0" " " <$p/cmdline | grep -q fixture && exit 0; done; false'
echo descriptors; ls /proc/self/fd
`,
      );
      await attacker.ended;
      expectHeld(attacker, 18);
      // Number 3 is the folder that `ls` reads.
      expect(attacker.output()).toMatch(/^descriptors\n0\n1\n2\n3\n$/m);
      expect(attacker.output()).not.toContain('sentinel-of-floy');
    });

    it('finds nothing that an earlier build planted, in HOME, sockets or temporary folders', async () => {
      const planted = '"$HOME/.npmrc" "$HOME/.gitconfig" /tmp/x /var/tmp/x /dev/shm/x';
      const first = await build(
        'first',
        `for each in ${planted}; do echo evil >$each; done; ipcmk -M 64 -p 0666
         node -e 'require("net").createServer().listen("/tmp/socket", () => process.exit())'
         mkdir -p ~/.ssh /tmp/node_modules; echo done`,
      );
      await first.ended;
      expect(first.output()).toMatch(/^done$/m);
      const second = await build(
        'second',
        `for each in ${planted} /tmp/socket; do test ! -e $each || echo "found $each"; done
         ls -A ~ /tmp /var/tmp /dev/shm; ipcs -m | grep 0x || :; id -un; echo done`,
      );
      await second.ended;
      expect(second.output()).toBe(
        '/dev/shm:\n\n/floy/home:\n\n/tmp:\n\n/var/tmp:\nfloy-build\ndone\n',
      );
    });
  });
});
