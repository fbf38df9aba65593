import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { commandStep, switchStep } from './commands.js';
import { environmentText } from './environment.js';
import { dateStep } from './date-release.js';
import { launchStep, settleStep } from './launch-step.js';
import { listReleases, lookAtHealth, observe } from './observe.js';
import { prune } from './prune.js';
import { receiveAhead } from './receive.js';
import { receiveArtifact, stageStep } from './stage.js';
import { stopSteps } from './stop-steps.js';

const hostile = `/srv/it's; touch "$HOME" \`id\` $(id)\n`;
const place = { deployPath: '/srv/app', releaseDir: 'v1-rel_1', version: "v1'" };
const lock = { deployPath: '/srv/app', installation: 'floy-one', epoch: 1_700_000_000_001n };
const release = { ...place, sha256: 'a'.repeat(64), size: 1000, filesAt: 1_700_000_000 };
const key = { work: 'rel_1', name: 'switch' };

/** Every script, made for this deploy path. */
function scripts(deployPath: string): Record<string, string> {
  const at = { ...place, deployPath };
  const locked = { ...lock, deployPath };
  const switching = switchStep(at, { restart: `systemctl restart ${deployPath}`, status: 'true' });
  return {
    switching,
    command: commandStep(at, 'current', deployPath),
    launch: launchStep({
      lock: locked,
      ...key,
      script: switching,
      rerunAfter: 0,
      seen: { attempt: 0, bytes: 0 },
      live: true,
    }),
    settle: settleStep(locked, key, 1),
    stop: stopSteps(locked),
    stopOne: stopSteps(locked, key),
    receive: receiveArtifact(
      locked,
      { ...release, deployPath },
      environmentText({ A: deployPath }),
    ),
    stage: stageStep(
      locked,
      { ...release, deployPath },
      {
        environment: environmentText({ A: deployPath }),
        sharedPaths: ['data', deployPath],
      },
    ),
    date: dateStep(locked, { ...release, deployPath }),
    observe: observe(deployPath, deployPath),
    releases: listReleases(deployPath),
    health: lookAtHealth({ ...at, statusCommand: deployPath, healthCommand: deployPath }),
    prune: prune(locked, { dirs: [deployPath], work: 'rel_1' }),
    ahead: receiveAhead(locked, release),
  };
}

const shells = [['/bin/dash'], ['/bin/bash', '--posix'], ['/bin/busybox', 'sh']].filter(([path]) =>
  existsSync(path ?? ''),
);

describe('the scripts for hosts', () => {
  it('make a release the running one', () => {
    expect(switchStep(place, { restart: "systemctl restart 'app'", status: 'true' }))
      .toBe(`rm -f "$0"
umask 022
deploy_path='/srv/app'
release='releases/v1-rel_1'
environment='v1-rel_1'
floy_failed() { echo "floy: $1" >&2; exit 1; }
cd -P .. || exit 1
[ -d "$release" ] || floy_failed "$deploy_path/$release is not there"
[ -f ".floy/env/$environment" ] || floy_failed "$deploy_path/.floy/env/$environment is not there"
[ -L current ] || [ ! -e current ] || floy_failed "$deploy_path/current is not a link"
ln -sfn "$environment" .floy/env.new && mv -fT .floy/env.new .floy/env/current || floy_failed "$deploy_path/.floy/env/current could not be switched"
ln -sfn "$release" .floy/current.new && mv -fT .floy/current.new current || floy_failed "$deploy_path/current could not be switched"
folder=$deploy_path/current
FLOY_RELEASE_PATH='/srv/app/releases/v1-rel_1'
FLOY_VERSION='v1'\\'''
floy_env='/srv/app/.floy/env/v1-rel_1'
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export FLOY_RELEASE_PATH FLOY_VERSION PATH
cd -P "$folder" || exit 1
set -a
[ ! -f "$floy_env" ] || . "$floy_env"
set +a
eval 'systemctl restart '\\''app'\\'''`);
  });

  it.each(Object.entries(scripts('/srv/app')))('%s is as it was', (_, script) => {
    expect(script).toMatchSnapshot();
  });

  it.each(shells)('can be read by %s, whatever the values are', (shell, ...args) => {
    for (const value of ['/srv/app', hostile]) {
      for (const script of Object.values(scripts(value))) {
        execFileSync(shell ?? '', [...args, '-n'], { input: `{\n(\n${script}\n) </dev/null\n}\n` });
      }
    }
  });

  it('have values nowhere but quoted', () => {
    for (const script of Object.values(scripts('@VALUE@'))) {
      const bare = script.replaceAll(String.raw`'\''`, '').replaceAll(/'[^']*'/g, '');
      expect(bare).not.toContain('@VALUE@');
    }
  });
});
