import { parseArgs } from 'node:util';
import { messageOf } from '@floy/domain';
import { readConfig } from './config.js';
import { runDemo } from './demo.js';
import { createScreen } from './screen.js';

const USAGE = `npm run demo [-- --once]

Shows Floy's main job on this machine: a Git repository with a little HTTP service, three hosts that
are real sshd processes, and three versions, the last of which is broken. It stays up until Ctrl-C;
with --once it ends at once, with exit code 0 only if everything happened as it should.
`;
const INTERRUPTED = 130;

process.exitCode = await main(process.argv.slice(2));
// Connections that are kept open for the next request are not waited for.
process.exit();

async function main(words: string[]): Promise<number> {
  const { once, help, problem } = readWords(words);
  if (problem !== undefined || help) {
    (problem === undefined ? process.stdout : process.stderr).write(
      problem === undefined ? USAGE : `${problem}\n\n${USAGE}`,
    );
    return problem === undefined ? 0 : 1;
  }
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => interrupt.abort(new Error(`Interrupted by ${name}`)));
  }
  // Whoever read the output is gone: there is nobody to show anything to.
  process.stdout.on('error', () => interrupt.abort(new Error('Nobody reads the output')));
  const config = readConfig();
  const screen = createScreen(process.stdout, config);
  try {
    const found = await runDemo({ config, screen, once, interrupt: interrupt.signal });
    return found.length === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`\nThe demo did not get to its end: ${messageOf(error)}\n`);
    return interrupt.signal.aborted ? INTERRUPTED : 1;
  }
}

function readWords(words: string[]): { once: boolean; help: boolean; problem?: string } {
  try {
    const { values } = parseArgs({
      args: words,
      options: { once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    return { once: values.once ?? false, help: values.help ?? false };
  } catch (error) {
    return { once: false, help: false, problem: messageOf(error) };
  }
}
