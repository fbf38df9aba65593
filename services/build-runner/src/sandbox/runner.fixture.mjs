/**
 * A runner of its own that a test can kill:
 *
 *   node --conditions=floy:src runner.fixture.mjs KIND USER FOLDER COMMAND
 */
import { register } from 'node:module';

register('./typescript-hooks.fixture.mjs', import.meta.url);
const { createSandbox } = await import('./sandbox.ts');
const { findBuildUser } = await import('./build-user.ts');

const [only, name, cwd, command] = process.argv.slice(2);
const sandbox = await createSandbox({ user: await findBuildUser(name), only });
const onOutput = (text) => void process.stdout.write(text);
await sandbox.runCommand({ command, cwd, timeoutSeconds: 60, onOutput });
