import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findPrograms } from '@floy/local-servers/find-program';
import { needs, needsSshd } from '@floy/testing/needs';
import { setStage, type Stage } from './stage/stage.js';

const describeWithSshd = await needsSshd();
const [python] = findPrograms('python3', '/usr/local/bin:/usr/bin:/bin');
const describePython = await needs('python', python, 'install python3 and python3-venv');
const describeHere = describePython === describe ? describeWithSshd : describe.skip;

/** What an installer of Python packages writes: a script that names the Python beside it. */
const BUILD = `python3 -m venv --without-pip venv
printf '#!%s\\nimport sys\\nprint(sys.prefix)\\n' "$PWD/venv/bin/python3" >venv/bin/hello
chmod +x venv/bin/hello`;

describeHere('a service with a Python environment', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage({
      queue: 'postgres',
      hosts: 2,
      tags: ['v1.0.0'],
      applicationConfig: {
        build_command: BUILD,
        artifact_path: undefined,
        post_switch_command: 'venv/bin/hello >hello.txt',
      },
    });
  }, 60_000);
  afterAll(() => stage?.stop());

  it('starts its console script on every host, of a version that was named by its tag alone', async () => {
    const { fleet, repository, environmentId, applicationIds, places, settled } = stage;
    await fleet.client.deleteVersion(stage.versionIds.get('v1.0.0') ?? '');
    const { url } = repository;
    const version = await fleet.client.createVersion({ git_tag: 'v1.0.0', repository: url });
    expect(version.git_commit).toBe(repository.commits.get('v1.0.0'));
    const { id } = await fleet.client.createDeployment({
      version_id: version.id,
      application_ids: [...applicationIds.values()],
      environment_id: environmentId,
    });
    expect(await settled(id)).toMatchObject({ status: 'success', error_message: '' });
    for (const place of places()) {
      const current = await realpath(join(place, 'current'));
      expect(await readFile(join(current, 'hello.txt'), 'utf8')).toBe(`${current}/venv\n`);
    }
  });
});
