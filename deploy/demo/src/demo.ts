import { createClient } from '@floy/client/client';
import { nodeForBuilds } from './build-node.js';
import type { DemoConfig } from './config.js';
import { takeDemoFolder, type DemoFolder } from './demo-folder.js';
import { startFloy, troublesIn, unconfinedIn, type FloyProcess } from './floy-process.js';
import { startHosts } from './hosts.js';
import { endProcessesOf } from './processes.js';
import { ensurePrograms } from './programs.js';
import { makeRepository } from './repository.js';
import type { Screen } from './screen.js';
import { applicationConfig, environmentConfig, type DemoHost } from './settings.js';
import { serviceUrl } from './sightings.js';
import { tellStory } from './story.js';

/** How to run the demo. */
export interface DemoOptions {
  readonly config: DemoConfig;
  readonly screen: Screen;
  /** End as soon as the story is told. */
  readonly once: boolean;
  /** Somebody wants it to end. */
  readonly interrupt: AbortSignal;
}

/**
 * Runs the demo and ends everything that it started, whatever happens. Answers what was not as it
 * should be; rejects with the reason of `interrupt` when that came before the story's end.
 */
export async function runDemo({ config, screen, once, interrupt }: DemoOptions): Promise<string[]> {
  const began = performance.now();
  const closers: (() => Promise<void>)[] = [];
  try {
    await ensurePrograms(config.searchPath, (line) => screen.print(line));
    interrupt.throwIfAborted();
    const folder = await takeDemoFolder(config.home);
    // Last of all, also what lives on where something above went wrong.
    closers.push(() => endProcessesOf(folder.path).finally(() => folder.release()));
    screen.print(`Setting up in ${folder.path}`);
    const commits = await makeRepository(folder.repository, config.searchPath);
    screen.print(`  a Git repository with ${commits.map(({ tag }) => tag).join(', ')}`);
    const fleet = await startHosts(folder.hosts, folder.path, config.searchPath);
    closers.push(fleet.stop);
    const ports = fleet.hosts.map(({ sshPort }) => sshPort).join(', ');
    screen.print(`  three hosts, each an sshd on 127.0.0.1: ports ${ports}`);
    interrupt.throwIfAborted();
    const floy = await startFloy(folder, config.childEnvironment, interrupt);
    closers.push(floy.stop);
    screen.print(`  Floy at ${floy.url}`);
    const unconfined = await unconfinedIn(folder.log);
    if (unconfined !== undefined)
      screen.print(`  ${screen.paint('bad', 'Warning')}: ${unconfined}`);

    const signal = AbortSignal.any([interrupt, floy.ended]);
    const story = tellStory({
      client: createClient({ url: floy.url, token: floy.token }),
      ...{ screen, signal, commits, hosts: fleet.hosts, repository: folder.repository },
      applicationConfig: applicationConfig(await nodeForBuilds(folder.programs)),
      environmentConfig: environmentConfig({
        hosts: fleet.hosts,
        user: fleet.user,
        privateKey: fleet.privateKey,
        folder: folder.hosts,
        node: process.execPath,
      }),
    });
    const isGood = await story.then(
      (found) => found.length === 0,
      () => false,
    );
    if (!isGood && !interrupt.aborted) await showTroubles(screen, folder.log);
    const found = await story;
    showEnd(screen, found, (performance.now() - began) / 1000);
    screen.print(once ? '\nIt ran here, and is ended now:' : '\nIt runs here until Ctrl-C:');
    showAddresses(screen, { floy, folder, hosts: fleet.hosts });
    if (!once) {
      await aborted(signal);
      if (!interrupt.aborted) signal.throwIfAborted();
    }
    return found;
  } finally {
    if (interrupt.aborted) screen.print('Ending what was started…');
    await closeAll(closers, screen);
  }
}

function showEnd({ print, paint }: Screen, found: readonly string[], seconds: number): void {
  if (found.length === 0) {
    print(`\n${paint('good', 'All of it happened as it should')}, in ${seconds.toFixed(1)} s`);
    return;
  }
  print(`\n${paint('bad', 'Not all of it happened as it should')}:`);
  for (const each of found) print(`  - ${each}`);
}

async function showTroubles({ print }: Screen, log: string): Promise<void> {
  const lines = await troublesIn(log);
  print(`\n${lines.length === 0 ? 'No trouble' : 'The last troubles'} in ${log}`);
  for (const line of lines) print(`  ${line}`);
}

interface Running {
  readonly floy: FloyProcess;
  readonly folder: DemoFolder;
  readonly hosts: readonly DemoHost[];
}

function showAddresses({ print }: Screen, { floy, folder, hosts }: Running): void {
  const lines = [
    ['API', `${floy.url}/api/v1`],
    ['API pages', `${floy.url}/api/v1/docs`],
    ['queues', `${floy.url}/admin/queues`],
    ['admin token', `in ${floy.tokenFile}`],
    ['log', folder.log],
    ...hosts.map((host) => [host.name, serviceUrl(host)]),
  ];
  for (const [name = '', value] of lines) print(`  ${name.padEnd(12)} ${value}`);
}

/** The last that was started is ended first; what cannot be ended does not keep the rest. */
async function closeAll(closers: readonly (() => Promise<void>)[], screen: Screen): Promise<void> {
  for (const close of closers.toReversed()) {
    await close().catch((error: unknown) => screen.print(`Not ended: ${String(error)}`));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
