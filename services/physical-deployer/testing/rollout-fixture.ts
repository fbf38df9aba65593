import type { Environment, MessageKind, MessagePayloads } from '@floy/contracts';
import { revokeLeases } from '@floy/database/leases';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import type { InstanceRow } from '@floy/database/rows';
import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { createSharedRedactors } from '@floy/secrets/shared-redactors';
import { createFolderArtifactStore } from '@floy/service-kit/artifact-store';
import { openTestRuntime, type TestRuntime } from '@floy/service-kit/test-runtime.fixture';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lookAtTargetHandler } from '../src/handlers/look-at-target.js';
import { stageInstanceHandler } from '../src/handlers/stage-instance.js';
import { stopTargetHandler } from '../src/handlers/stop-target.js';
import { switchInstanceHandler } from '../src/handlers/switch-instance.js';
import type { DeployerDeps } from '../src/release/deployer-deps.js';
import { startHostFixture, type HostFixture } from './host-fixture.js';

/** The kinds of message by which releases come to hosts. */
export type HostMessage = Extract<
  MessageKind,
  'stage-instance' | 'switch-instance' | 'look-at-target' | 'stop-target'
>;

/** Deployments to real hosts, with rows that the managers have made. */
export interface RolloutFixture {
  readonly floy: TestInstallation;
  readonly fleet: HostFixture;
  readonly runtime: TestRuntime;
  readonly deps: DeployerDeps;
  environment(): Promise<Environment>;
  /** An application that writes each restart into `ledger` of its place. */
  application(name: string, config?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Stores an archive whose `app.txt` holds this text. Answers its sha256. */
  artifact(text: string): Promise<string>;
  /** A deployment whose artifact is built: its hosts are to be staged. */
  handOut(applicationId: string, versionId?: string): Promise<string>;
  /** Carries out the oldest open message of a kind. */
  carryOut(
    kind: HostMessage,
    of: Partial<MessagePayloads[HostMessage]>,
  ): ReturnType<TestRuntime['carryOut']>;
  /** The same again, as when what had been handed out is handed out once more. */
  carryOutAgain(kind: HostMessage, instance: InstanceRow): ReturnType<TestRuntime['carryOut']>;
  /** The same as a message that was begun too often. */
  giveUp(kind: HostMessage, instance: InstanceRow): ReturnType<TestRuntime['carryOut']>;
  /** Gives it up once more, whatever state it is in by now. */
  deadAgain(kind: HostMessage, instance: InstanceRow): Promise<void>;
  /** Takes the right to act on a target away from whoever has it. */
  revoke(instance: InstanceRow): Promise<void>;
  /** The epoch of the latest lease of a target: it tells whether another was taken. */
  epochOf(instance: InstanceRow): Promise<number | undefined>;
  /** Whether a message of a kind about this instance is open, and how often it was begun. */
  claimsOf(kind: HostMessage, instance: InstanceRow): Promise<number | undefined>;
  /** Carries out everything of a deployment until nothing of it is handed to the deployers. */
  rollOut(deploymentId: string): Promise<void>;
  /** The instances of a deployment, in the order of their hosts. */
  instancesOf(deploymentId: string): Promise<InstanceRow[]>;
  /** Its first instance on a host: of the release itself, not of its undo. */
  instanceOf(deploymentId: string, host?: number): Promise<InstanceRow>;
  /** The place of an application on a host. */
  placeOf(name: string, host?: number): string;
  /** A host as questions name it. */
  nameOf(host?: number): string;
  /** Holds the lock of a place on its host, so that work waits there; answers how to let it go. */
  holdLock(place: string): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

/** @param options how many hosts the environment has; where hosts fetch artifacts, if they do */
export async function startRolloutFixture(options: {
  hosts: number;
  publicUrl?: string;
}): Promise<RolloutFixture> {
  const fleet = await startHostFixture({ hosts: options.hosts });
  const hosts = Array.from({ length: options.hosts }, (_, index) => fleet.host(index));
  const floy = await startTestInstallation({
    config: {
      hosts: hosts.map(({ host, port, user }) => ({ host, port, user })),
      ssh_key: Buffer.from(fleet.privateKey).toString('base64'),
      deploy_path: join(fleet.folder, 'places', '{{instance_id}}'),
      restart_command: 'echo "$FLOY_VERSION" >>../../ledger',
      status_command: 'true',
      batch_size: '100%',
    },
  });
  const runtime = await openTestRuntime(floy.own.url, floy.encryptionKey);
  const artifacts = createFolderArtifactStore(join(fleet.folder, 'artifacts'));
  const deps: DeployerDeps = {
    ...runtime.deps,
    artifacts,
    hosts: fleet.hosts,
    redactors: createSharedRedactors(),
    stepEnded: undefined,
    publicUrl: options.publicUrl,
  };
  const handlers = {
    'stage-instance': stageInstanceHandler(deps),
    'switch-instance': switchInstanceHandler(deps),
    'look-at-target': lookAtTargetHandler(deps),
    'stop-target': stopTargetHandler(deps),
  };
  const carryOut: RolloutFixture['carryOut'] = (kind, of) =>
    runtime.carryOut(kind, handlers[kind], of);
  const instancesOf = (id: string): Promise<InstanceRow[]> =>
    floy.own.query<InstanceRow>(
      `SELECT i.* FROM release_instances i JOIN releases r ON r.id = i.release_id
       WHERE i.deployment_id = $1 ORDER BY r.undo, i.position`,
      [id],
    );
  const artifact = async (text: string): Promise<string> => {
    const source = await mkdtemp(join(fleet.folder, 'source-'));
    await writeFile(join(source, 'app.txt'), text);
    // Equal content is one artifact, as Floy packs it.
    execFileSync('tar', ['--mtime=@0', '-czf', `${source}.tar.gz`, '-C', source, '.']);
    return (await artifacts.put(`${source}.tar.gz`)).sha256;
  };
  return {
    floy,
    fleet,
    runtime,
    deps,
    environment: () =>
      createEnvironmentRepository(floy.database.knex, floy.sealer).getById(floy.environmentId),
    application: (name, config) => floy.applicationId(name, { min_healthy_seconds: 0, ...config }),
    artifact,
    async handOut(applicationId, versionId = floy.versionIds[0]) {
      const id = await floy.ask([applicationId], versionId);
      await floy.begin(id);
      await floy.built(id, await artifact(versionId));
      return id;
    },
    carryOut,
    async carryOutAgain(kind, instance) {
      await floy.database.transaction(async (tx) => tx.send(kind, idsOf(instance)));
      return carryOut(kind, { instance_id: instance.id });
    },
    async giveUp(kind, { id }) {
      await floy.own.query(
        `UPDATE messages SET claims = 10
         WHERE kind = $1 AND payload->>'instance_id' = $2 AND done_at IS NULL`,
        [kind, id],
      );
      return carryOut(kind, { instance_id: id });
    },
    deadAgain: (kind, instance) =>
      floy.database.transaction((tx) => handlers[kind].dead(tx, idsOf(instance), 'again')),
    revoke: ({ target_id }) => floy.database.transaction((tx) => revokeLeases(tx, [target_id])),
    async epochOf({ target_id }) {
      const sql = 'SELECT epoch::float8 FROM leases WHERE subject = $1';
      return (await floy.own.query<{ epoch: number }>(sql, [target_id]))[0]?.epoch;
    },
    async claimsOf(kind, { id }) {
      const [open] = await floy.own.query<{ claims: number }>(
        `SELECT claims FROM messages
         WHERE kind = $1 AND payload->>'instance_id' = $2 AND done_at IS NULL`,
        [kind, id],
      );
      return open?.claims;
    },
    async rollOut(deployment_id) {
      for (;;) {
        const [next] = await floy.own.query<{ kind: HostMessage }>(
          `SELECT kind FROM messages WHERE done_at IS NULL AND kind = ANY ($1)
             AND payload->>'deployment_id' = $2 ORDER BY created_at, id LIMIT 1`,
          [Object.keys(handlers), deployment_id],
        );
        if (!next) return;
        const outcome = await carryOut(next.kind, { deployment_id });
        if (outcome !== 'done') throw new Error(`${next.kind} of ${deployment_id}: ${outcome}`);
      }
    },
    instancesOf,
    async instanceOf(id, host = 0) {
      const instance = (await instancesOf(id))[host];
      if (!instance) throw new Error(`${id} has no instance on host ${host}`);
      return instance;
    },
    placeOf: (name, host = 0) => {
      const { host: address, port } = fleet.host(host);
      return join(fleet.folder, 'places', `${name}-production-${address}-${port}`);
    },
    nameOf: (host = 0) => `${fleet.host(host).host}:${fleet.host(host).port}`,
    async holdLock(place) {
      await mkdir(join(place, '.floy'), { recursive: true, mode: 0o700 });
      const holder = spawn('flock', [
        join(place, '.floy', 'lock'),
        'sh',
        '-c',
        'echo held; read _',
      ]);
      await once(holder.stdout, 'data');
      return async () => {
        const ended = once(holder, 'exit');
        holder.stdin.end();
        await ended;
      };
    },
    async stop() {
      await runtime.close();
      await floy.stop();
      await fleet.stop();
    },
  };
}

function idsOf({ id, target_id, deployment_id }: InstanceRow) {
  return { instance_id: id, target_id, deployment_id };
}
