/**
 * A runner of its own that a test can kill, or start as somebody else:
 *
 *   node --conditions=floy:src runner.fixture.mjs any|supervisor FOLDER COMMAND [OPTIONS]
 *
 * The folder becomes the checkout, and the build user's own. OPTIONS are JSON: `runAs` is the number
 * of the user that the runner becomes once it is loaded, `hidden` what its commands must not see.
 */
import { register } from 'node:module';

register('./typescript-hooks.fixture.mjs', import.meta.url);
const { createSandbox } = await import('./sandbox.ts');
const { handOver } = await import('./folders.ts');
const { TEST_USERS } = await import('./users.fixture.ts');

const [kind, build, command, more = '{}'] = process.argv.slice(2);
const { runAs, hidden = [] } = JSON.parse(more);
const only = kind === 'any' ? {} : { only: kind };
if (runAs !== undefined) {
  process.setgroups([]);
  process.setgid(runAs);
  process.setuid(runAs);
}
const unconfined = kind === 'supervisor';
const sandbox = await createSandbox({ users: TEST_USERS, unconfined, hidden, ...only });
const { user, close } = await sandbox.openSlot();
await handOver(build, user);
const onOutput = (text) => void process.stdout.write(text);
const options = { user, folders: { build }, command, timeoutSeconds: 60, onOutput };
const { exitCode } = await sandbox.runCommand(options).finally(close);
process.exitCode = exitCode;
