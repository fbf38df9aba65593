import { secretTexts } from '@floy/contracts';
import { CouldNotTellError, VerdictError } from '@floy/domain';
import { createRedactor } from '@floy/secrets/redaction';
import { constants } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { findInCheckout } from '../artifact/entries.js';
import { DEFAULT_PATH } from '../sandbox/default-path.js';
import { exitVerdict } from '../sandbox/exit-verdict.js';
import { makeProcessFolder } from '../sandbox/process-folder.js';
import type { RunOptions, Sandbox } from '../sandbox/sandbox.js';
import * as words from './image-words.js';

/**
 * Looks for a program that builds images: buildah first, since it needs no daemon. Throws
 * `VerdictError`, saying what to install, when there is none.
 */
export async function findBuilder(path: string = DEFAULT_PATH): Promise<words.Builder> {
  for (const kind of ['buildah', 'docker'] as const) {
    for (const folder of path.split(delimiter).filter((each) => each.startsWith('/'))) {
      const program = join(folder, kind);
      const usable = await access(program, constants.X_OK).then(
        () => true,
        () => false,
      );
      const ownStorage = kind === 'buildah' && process.getuid?.() !== 0;
      if (usable) return { kind, program, ownStorage };
    }
  }
  throw new VerdictError(
    'the application has a dockerfile and this build runner has nothing to build it with: ' +
      'install buildah (Debian: apt-get install buildah), or docker with its daemon running',
  );
}

export interface BuildImageOptions extends Omit<RunOptions, 'cwd' | 'name'> {
  sandbox: Sandbox;
  builder: words.Builder;
  /** The checkout. */
  folder: string;
  /** Relative to the checkout. */
  dockerfile: string;
  buildArgs: Readonly<Record<string, string>>;
  /** `host[:port][/path]` that the image is pushed below. */
  registry: string | undefined;
  /** See `authFile`. */
  registryAuth?: string;
  /** The application's name. */
  name: string;
  /** The version's. */
  tag: string;
}

/**
 * Builds the image of a checkout and pushes it. Answers its name by digest, which is what is
 * deployed: a tag may be moved. Runs as Floy's user: a builder makes users and namespaces itself.
 */
export async function buildImage(
  options: BuildImageOptions,
): Promise<{ image: string; digest: string }> {
  const { sandbox, builder, folder, registry, registryAuth } = options;
  const { path: file, isFolder } = await findInCheckout(folder, options.dockerfile, 'dockerfile');
  if (isFolder) throw new VerdictError(`dockerfile ${options.dockerfile} is a folder`);
  if (registry === undefined || registry.trim() === '') {
    throw new VerdictError(
      'an application with a dockerfile needs a registry to push its image to',
    );
  }
  const reference = words.imageReference(registry, options.name, options.tag);
  const auth = words.authFile(registry, registryAuth);
  const own = await makeProcessFolder('image');
  const authFolder = own.path;
  const build = { folder, file, buildArgs: options.buildArgs, reference, authFolder };
  const redactor = createRedactor();
  redactor.add(secretTexts({ registry_auth: registryAuth }));

  const run = async (step: string, line: string[]): Promise<string> => {
    let output = '';
    const exit = await sandbox.runProgram({
      ...pickRunOptions(options),
      name: `${builder.kind} ${step}`,
      words: line,
      cwd: folder,
      makesNamespaces: true,
      onOutput: (text) => {
        output = (output + text).slice(-16_384);
        return options.onOutput?.(text);
      },
    });
    if (exit.exitCode === 0) return output;
    throw (
      failureOf(builder.kind, registry, redactor.redact(output)) ??
      exitVerdict(`${builder.kind} ${step}`, exit) ??
      new VerdictError(`${builder.kind} ${step} failed`)
    );
  };

  try {
    await writeFile(join(authFolder, 'config.json'), auth, { mode: 0o600 });
    await run('build', words.buildWords(builder, build));
    await run('push', words.pushWords(builder, build));
    const inspect = words.digestWords(builder, build);
    const printed = inspect
      ? await run('image inspect', inspect)
      : await readFile(join(authFolder, 'digest'), 'utf8');
    const repository = reference.slice(0, reference.lastIndexOf(':'));
    const digest = digestIn(printed, inspect ? `${repository}@` : '');
    if (digest === undefined) {
      throw new CouldNotTellError(
        `${builder.kind} did not say by which digest it pushed ${reference}`,
      );
    }
    return { image: `${repository}@${digest}`, digest };
  } finally {
    const removeLayers = words.removeLayersWords(builder, build);
    if (removeLayers) await discard(sandbox, removeLayers);
    await own.remove();
  }
}

/** Also after a cancel, and however it ends: whatever is left the removal of the folder finds. */
async function discard(sandbox: Sandbox, line: string[]): Promise<void> {
  await sandbox
    .runProgram({ words: line, cwd: '/', makesNamespaces: true, timeoutSeconds: 60 })
    .catch(() => undefined);
}

/** The digest on the line that begins with `before`, a repository in either of its names. */
export function digestIn(printed: string, before: string): string | undefined {
  const wanted = words.familiarName(before);
  return printed
    .split('\n')
    .map(words.familiarName)
    .filter((line) => line.startsWith(wanted))
    .map((line) => line.slice(wanted.length).trim())
    .find((digest) => /^sha256:[0-9a-f]{64}$/.test(digest));
}

/** What the builder's own troubles mean; undefined when it is the Dockerfile that failed. */
export function failureOf(
  builder: words.BuilderKind,
  registry: string,
  output: string,
): VerdictError | CouldNotTellError | undefined {
  const last = output.trim().split('\n').slice(-3).join('; ').slice(-500);
  if (/Cannot connect to the Docker daemon|docker daemon running/i.test(output)) {
    return new VerdictError(
      `docker is installed, but its daemon does not answer: start it, or install buildah (${last})`,
    );
  }
  if (
    /unauthorized|authentication required|denied: |insufficient_scope|no basic auth/i.test(last)
  ) {
    return new VerdictError(`${registry} refused access: check registry_auth (${last})`);
  }
  if (
    /connection refused|i\/o timeout|no such host|TLS handshake timeout|network is unreachable|50[234] /i.test(
      last,
    )
  ) {
    return new CouldNotTellError(`${builder} could not reach a registry (${last})`);
  }
  return undefined;
}

function pickRunOptions({ env, timeoutSeconds, inactivitySeconds, signal }: BuildImageOptions) {
  return { env, timeoutSeconds, inactivitySeconds, signal };
}
