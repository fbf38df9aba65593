import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsRoot } from '@floy/testing/needs';
import { worksOn } from './adopt-server.js';

const describeAsRoot = await needsRoot();
const nobody = 65_534;

describeAsRoot('the number in the pid file of a server', () => {
  let folder: string;
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'floy-adopt-')));
    chmodSync(folder, 0o755);
    chownSync(folder, nobody, nobody);
    // Another user has to be able to read them.
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    for (const name of ['adopt-server', 'process-table', 'poll']) {
      const built = fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
      copyFileSync(built, join(folder, `${name}.js`));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What nobody thinks of a process; `self` is its own. */
  const asNobody = (pid: string, cwd: string): string => {
    const script = `import { worksOn } from ${JSON.stringify(join(folder, 'adopt-server.js'))};
      console.log(await worksOn(${JSON.stringify(folder)}, ${pid}));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd,
      uid: nobody,
      gid: nobody,
      encoding: 'utf8',
    });
    return stdout.trim() || stderr;
  };

  it('may be that of a process of another user, which is none of ours', () => {
    expect(asNobody('1', '/')).toBe('false');
    expect(asNobody('process.pid', '/')).toBe('false');
    expect(asNobody('process.pid', folder)).toBe('true');
  });

  it('may be that of a process that works elsewhere, or of none', async () => {
    expect(await worksOn(folder, process.pid)).toBe(false);
    const ended = spawnSync('true');
    expect(await worksOn(folder, ended.pid)).toBe(false);
  });
});
