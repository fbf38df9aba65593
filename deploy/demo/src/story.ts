import type { Client } from '@floy/client/client';
import { differences, type Expectation } from './expectations.js';
import { followDeployment } from './follow-deployment.js';
import type { TaggedCommit } from './repository.js';
import type { Screen } from './screen.js';
import type { DemoHost } from './settings.js';
import { lookAtHosts, type Sighting } from './sightings.js';

/** What the story is told with. */
export interface Stage {
  readonly client: Client;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  readonly hosts: readonly DemoHost[];
  readonly repository: string;
  readonly commits: readonly TaggedCommit[];
  readonly applicationConfig: Record<string, unknown>;
  readonly environmentConfig: Record<string, unknown>;
}

interface Act extends Expectation {
  readonly title: string;
}

const ACTS: readonly Act[] = [
  {
    title: 'v1.0.0: built, tested, and brought to three hosts that run nothing yet',
    ...{ version: 'v1.0.0', status: 'success', live: 'v1.0.0' },
  },
  {
    title: 'v1.1.0: one host after the other gets a new greeting',
    ...{ version: 'v1.1.0', status: 'success', live: 'v1.1.0' },
  },
  {
    title: 'v1.2.0: its tests pass, but a file that it needs is not shipped',
    ...{
      version: 'v1.2.0',
      status: 'rolled_back',
      live: 'v1.1.0',
      failure: /healthz answered 500/,
    },
  },
];

/** Tells the story over the API; answers what was not as it should be. */
export async function tellStory(stage: Stage): Promise<string[]> {
  const { client, screen, signal, repository, commits, hosts } = stage;
  const { paint } = screen;
  const application = await client.createApplication({
    ...{ name: 'greeter', repository, type: 'service', config: stage.applicationConfig },
  });
  const environment = await client.createEnvironment({
    ...{ name: 'three-hosts', type: 'physical', config: stage.environmentConfig },
  });
  const deployments: { id: string; version: string }[] = [];
  const found: string[] = [];
  for (const act of ACTS) {
    signal.throwIfAborted();
    const { version } = act;
    const commit = commits.find(({ tag }) => tag === version)?.commit ?? '';
    screen.print(`\n${paint('title', act.title)}`);
    const { id: versionId } = await client.createVersion({
      ...{ git_tag: version, git_commit: commit, repository },
    });
    const { id } = await client.createDeployment({
      version_id: versionId,
      application_ids: [application.id],
      environment_id: environment.id,
    });
    deployments.push({ id, version });
    const { deployment, progress, seconds } = await followDeployment(
      ...([client, screen, { id, version }, signal] as const),
    );
    const isGood = deployment.status === 'success';
    const ended = paint(isGood ? 'good' : 'bad', deployment.status);
    screen.print(`\n  ${version} ended as ${ended} after ${seconds.toFixed(1)} s`);
    if (deployment.error_message) screen.print(`  ${deployment.error_message}`);
    const sightings = await lookAtHosts(client, hosts, deployments);
    for (const line of table(sightings)) screen.print(`  ${line}`);
    const { status, error_message: message } = deployment;
    found.push(...differences(act, { status, message, failures: progress.failures, sightings }));
    if (status === 'failed') break;
  }
  if (deployments.length < ACTS.length) found.push('the rest of the story was not told');
  return found;
}

function table(sightings: readonly Sighting[]): string[] {
  const rows = [
    ['host', 'Floy says', 'the host answers', ''],
    ...sightings.map(({ name, floySays, hostSays, greeting, url }) => [
      ...[name, floySays, hostSays, greeting === '' ? url : `${url} “${greeting}”`],
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
