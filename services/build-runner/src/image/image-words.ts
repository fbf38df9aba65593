import { withoutTrailing } from '@floy/contracts';
import { VerdictError } from '@floy/domain';

/** Command lines and files for building and pushing an image, as data. */

export type BuilderKind = 'buildah' | 'docker';

export interface Builder {
  kind: BuilderKind;
  /** The program's path. */
  program: string;
  /**
   * Whether buildah keeps layers in a folder of this build, gone after it. Its own default is below
   * HOME for everybody but root, and each command has a HOME of its own.
   */
  ownStorage?: boolean;
}

export interface ImageBuild {
  /** The checkout, which is the build's context. */
  folder: string;
  /** The Dockerfile's path. */
  file: string;
  buildArgs: Readonly<Record<string, string>>;
  /** See `imageReference`. */
  reference: string;
  /** A folder with `config.json` made by `authFile`; `digest` and layers are written there too. */
  authFolder: string;
}

/** Builds and names the image. Build arguments are no secrets: an image tells them to everybody. */
export function buildWords(builder: Builder, build: ImageBuild): string[] {
  const args = Object.entries(build.buildArgs).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new VerdictError(
        `build_args: ${JSON.stringify(name)} cannot be the name of an argument`,
      );
    }
    return `--build-arg=${name}=${value}`;
  });
  const common = [`--file=${build.file}`, `--tag=${build.reference}`, ...args, build.folder];
  return builder.kind === 'docker'
    ? [...docker(builder, build), 'build', ...common]
    : [
        ...buildah(builder, build),
        'build',
        `--authfile=${build.authFolder}/config.json`,
        ...common,
      ];
}

/** Pushes the image to where its reference says. */
export function pushWords(builder: Builder, build: ImageBuild): string[] {
  if (builder.kind === 'docker') return [...docker(builder, build), 'push', build.reference];
  return [
    ...[...buildah(builder, build), 'push', `--authfile=${build.authFolder}/config.json`],
    ...[`--digestfile=${build.authFolder}/digest`, build.reference, `docker://${build.reference}`],
  ];
}

/** Prints what the registry calls the pushed image; buildah has written it to a file. */
export function digestWords(builder: Builder, build: ImageBuild): string[] | undefined {
  if (builder.kind === 'buildah') return undefined;
  const format = '--format={{range .RepoDigests}}{{println .}}{{end}}';
  return [...docker(builder, build), 'image', 'inspect', format, build.reference];
}

const docker = (builder: Builder, build: ImageBuild): string[] => [
  builder.program,
  `--config=${build.authFolder}`,
];

const buildah = ({ program, ownStorage }: Builder, { authFolder }: ImageBuild): string[] => [
  program,
  ...(ownStorage ? [`--root=${authFolder}/layers`, `--runroot=${authFolder}/run`] : []),
];

/** Removes the layers of a build: their files belong to users that only buildah's namespace has. */
export function removeLayersWords(builder: Builder, build: ImageBuild): string[] | undefined {
  if (!builder.ownStorage) return undefined;
  const folders = ['layers', 'run'].map((name) => `${build.authFolder}/${name}`);
  return [builder.program, 'unshare', 'rm', '-rf', '--', ...folders];
}

/**
 * How a registry's repository is called in what a builder prints: docker leaves out its own
 * registry's name.
 */
export function familiarName(repository: string): string {
  return repository.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, '');
}

/** A host with an optional port, and the names of folders in lower case. */
const registryShape =
  /^[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;

/**
 * Where an image is pushed to: `registry/name:tag`. The name is the application's and the tag the
 * version's, with what a reference may not hold replaced. `registry` is a host with an optional
 * port and path; throws `VerdictError` for anything else.
 */
export function imageReference(registry: string, name: string, tag: string): string {
  const where = withoutTrailing(registry.trim(), '/');
  if (!registryShape.test(where)) {
    throw new VerdictError(
      `registry ${JSON.stringify(registry)} is no registry: expected host[:port][/path] in lower case`,
    );
  }
  const cleanName = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    // One dash at most is left on each side.
    .replace(/^-|-$/g, '');
  const cleanTag = tag.replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '');
  return `${where}/${cleanName || 'app'}:${cleanTag.slice(0, 128) || 'latest'}`;
}

/**
 * The file that holds the registry's credentials, from `registry_auth`: a Docker configuration
 * with `auths`, `user:password`, or either in base64. Of a configuration only `auths` is taken, the
 * rest can name programs to run. Throws `VerdictError`, showing none of it.
 */
export function authFile(registry: string, registryAuth: string | undefined): string {
  if (registryAuth === undefined || registryAuth.trim() === '') return '{"auths":{}}';
  const text = registryAuth.trim();
  const auths = authsOf(text) ?? authsOf(Buffer.from(text, 'base64').toString('utf8'));
  if (auths) return JSON.stringify({ auths });
  const pair = text.includes(':') ? text : Buffer.from(text, 'base64').toString('utf8');
  if (!/^[^:{\p{Cc}\ufffd][^:\p{Cc}\ufffd]*:[^\p{Cc}\ufffd]+$/u.test(pair)) {
    throw new VerdictError(
      'registry_auth is neither user:password nor a Docker configuration with "auths"',
    );
  }
  const host = registry.split('/')[0] ?? '';
  const auth = { auth: Buffer.from(pair).toString('base64') };
  // Docker's own registry is known to its tools by an address of old.
  const hub = host === 'docker.io' ? { 'https://index.docker.io/v1/': auth } : {};
  return JSON.stringify({ auths: { [host]: auth, ...hub } });
}

function authsOf(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && 'auths' in parsed
      ? parsed.auths
      : undefined;
  } catch {
    return undefined;
  }
}
