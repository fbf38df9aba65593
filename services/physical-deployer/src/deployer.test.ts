import type { Artifact, Deployer } from '@floy/contracts';
import { ConflictError, InvalidRequestError, NotFoundError } from '@floy/domain';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textOf } from '../testing/host-fixture.js';
import { startRolloutFixture, type RolloutFixture } from '../testing/rollout-fixture.js';
import { createPhysicalDeployer, type DeployerAction } from './deployer.js';

const describeHere = await needsSshd();

describeHere('the PhysicalDeployer', () => {
  let rollout: RolloutFixture;
  let application: string;
  let released: string;
  let here: string;
  let there: string;
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 2 });
    [here, there] = [rollout.nameOf(0), rollout.nameOf(1)];
    application = await rollout.application('api', {
      status_command: 'test ! -e ../../down && echo "I am $FLOY_VERSION"',
    });
    released = await rollout.handOut(application);
    await rollout.rollOut(released);
  });
  afterEach(() => rollout.fleet.host(1).start());
  afterAll(() => rollout.stop());

  let actions = 0;
  async function deployer(changes: Partial<DeployerAction> = {}) {
    actions += 1;
    return createPhysicalDeployer(rollout.deps, {
      id: `qst_${actions}`,
      environment: await rollout.environment(),
      timeoutSeconds: 10,
      signal: new AbortController().signal,
      ...changes,
    });
  }
  const ledgerOf = (host: number) => textOf(rollout.placeOf('api', host), 'ledger');
  const artifactOf = (sha256: string): Artifact => {
    return { name: sha256, version: '', path: sha256, size: 0 };
  };

  it('uploads an artifact to where the application is', async () => {
    const sha256 = await rollout.artifact('ahead');
    const own = await deployer({ applicationId: application });
    expect(await own.uploadArtifact([here], artifactOf(sha256))).toEqual([
      {
        host: here,
        success: true,
        output: join(rollout.placeOf('api'), '.floy/incoming', sha256),
        error: '',
      },
    ]);
    expect(await textOf(rollout.placeOf('api', 1), '.floy/incoming', sha256)).toBe('');
    const nowhere = await deployer({ applicationId: await rollout.application('unknown') });
    expect(await nowhere.uploadArtifact([here], artifactOf(sha256))).toMatchObject([
      { success: false, error: expect.stringContaining('Nothing has been deployed') },
    ]);
    expect(await own.uploadArtifact([there], artifactOf('0'.repeat(64)))).toMatchObject([
      { host: there, success: false },
    ]);
  });

  it('executes a command on the named hosts, on all where none is named', async () => {
    const own = await deployer();
    expect(await own.executeCommand([], 'echo out; echo err >&2; exit 3')).toEqual(
      [here, there].map((host) => {
        return { host, success: false, output: 'out\n', error: 'err\n' };
      }),
    );
    expect(await own.executeCommand([there], 'echo out')).toEqual([
      { host: there, success: true, output: 'out\n', error: '' },
    ]);
    await expect(own.executeCommand(['elsewhere'], 'true')).rejects.toThrow(InvalidRequestError);
    await rollout.fleet.host(1).stop();
    expect(await own.executeCommand([], 'echo out')).toMatchObject([
      { host: here, success: true },
      { host: there, success: false, error: expect.stringContaining(there) },
    ]);
  });

  it('restarts a service, once for each time it is asked', async () => {
    const before = await ledgerOf(0);
    const own = await deployer();
    const restarted = [{ host: here, success: true, error: '' }];
    expect(await own.restartService([here], 'api')).toMatchObject(restarted);
    // Repeated under the same id.
    expect(await own.restartService([here], 'api')).toMatchObject(restarted);
    expect(await ledgerOf(0)).toBe(`${before}v1\n`);
    await (await deployer()).restartService([here], 'api');
    expect(await ledgerOf(0)).toBe(`${before}v1\nv1\n`);
    expect(await ledgerOf(1)).toBe('v1\n');
    await expect(own.restartService([], 'nothing')).rejects.toThrow(NotFoundError);
  });

  it('restarts nothing while a release has the target', async () => {
    const id = await rollout.handOut(application, rollout.floy.versionIds[1]);
    const own = await deployer();
    const before = await ledgerOf(0);
    await expect(own.restartService([here], 'api')).rejects.toThrow(ConflictError);
    expect(await ledgerOf(0)).toBe(before);
    // Looking is always allowed.
    expect(await own.checkServiceStatus([here], 'api')).toMatchObject([{ running: true }]);
    await rollout.floy.deployments.cancelDeployment(rollout.floy.actor, id);
    await rollout.rollOut(id);
    expect(await own.restartService([here], 'api')).toMatchObject([{ success: true }]);
  });

  it('checks whether a service runs, does not run, or was never deployed', async () => {
    const own = await deployer();
    expect(await own.checkServiceStatus([], 'api')).toEqual(
      [here, there].map((host) => {
        return { host, running: true, status: 'I am v1', pid: 0, uptime: '' };
      }),
    );
    const down = join(rollout.placeOf('api'), 'down');
    await writeFile(down, '');
    expect(await own.checkServiceStatus([here], 'api')).toEqual([
      { host: here, running: false, status: 'inactive', pid: 0, uptime: '' },
    ]);
    await rm(down);
    await rollout.application('never-deployed');
    expect(await own.checkServiceStatus([here], 'never-deployed')).toMatchObject([
      { running: false, status: expect.stringMatching(/^not deployed: /) },
    ]);
    await expect(own.checkServiceStatus([], 'nothing')).rejects.toThrow(NotFoundError);
    await rollout.fleet.host(1).stop();
    expect(await own.checkServiceStatus([], 'api')).toMatchObject([
      { host: here, running: true },
      { host: there, running: false, status: expect.stringMatching(/^unknown: /) },
    ]);
  });

  it('deploys, rolls back and tells of deployments as every Deployer does', async () => {
    const own: Deployer = await deployer();
    const shared = rollout.floy.deployer;
    const deploymentId = released;
    expect(await own.deploy({ deploymentId })).toEqual(await shared.deploy({ deploymentId }));
    expect(await own.getDeploymentInfo(released)).toEqual(await shared.getDeploymentInfo(released));
    expect(await own.healthCheck(released)).toMatchObject({ healthy: true });

    const newer = await rollout.handOut(application, rollout.floy.versionIds[1]);
    await rollout.rollOut(newer);
    const back = await own.rollback(rollout.floy.actor, {
      deploymentId: newer,
      targetDeploymentId: released,
    });
    await rollout.floy.begin(back.deploymentId);
    await rollout.rollOut(back.deploymentId);
    expect(await rollout.floy.statusOf(newer)).toBe('rolled_back');
    expect(await own.getDeploymentInfo(back.deploymentId)).toMatchObject({ status: 'success' });
  });
});
