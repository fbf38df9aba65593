import { readKey } from './check-config.js';
import { overlayConfig } from './overlay-config.js';
import {
  exportedValues,
  fillTemplate,
  fillUrl,
  isFillable,
  type TemplateValues,
} from './template.js';

type Config = Readonly<Record<string, unknown>>;

/** Default of `timeout` for a build or test, in seconds. */
export const BUILD_TIMEOUT = 1800;

/** How an application is built and tested. */
export interface BuildSettings {
  readonly buildCommand: string | undefined;
  readonly artifactPath: string | undefined;
  readonly testCommand: string | undefined;
  readonly dockerfile: string | undefined;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly registry: string | undefined;
  readonly registryAuth: string | undefined;
  readonly packageUrl: string | undefined;
  readonly image: string | undefined;
  readonly manifest: string | undefined;
  readonly gitToken: string | undefined;
  /** As it was sent: base64 of a private key. */
  readonly gitSshKey: string | undefined;
  /** The application's own, not filled; a build sees nothing of an environment but by these. */
  readonly env: Readonly<Record<string, string>>;
  /** The application's own. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
}

/** Throws InvalidRequestError naming the key that is wrong. */
export function resolveBuildSettings(environment: Config, application: Config): BuildSettings {
  const config = overlayConfig(environment, application);
  return {
    buildCommand: readKey('build_command', config),
    artifactPath: readKey('artifact_path', config),
    testCommand: readKey('test_command', config),
    dockerfile: readKey('dockerfile', config),
    buildArgs: readKey('build_args', config) ?? {},
    registry: readKey('registry', config),
    registryAuth: readKey('registry_auth', config),
    packageUrl: readKey('package_url', config),
    image: readKey('image', config),
    manifest: readKey('manifest', config),
    gitToken: readKey('git_token', config),
    gitSshKey: readKey('git_ssh_key', config),
    env: readKey('env', application) ?? {},
    secrets: readKey('secrets', application) ?? {},
    timeoutSeconds: readKey('timeout', config) ?? BUILD_TIMEOUT,
  };
}

/**
 * `package_url` filled, undefined where there is none. What is filled in is one piece of a path or
 * query, whatever it holds. Throws VerdictError on a name without a value here.
 */
export function packageUrlOf(
  settings: Pick<BuildSettings, 'packageUrl'>,
  values: TemplateValues,
): string | undefined {
  if (settings.packageUrl === undefined) return undefined;
  return fillUrl(settings.packageUrl, values, 'package_url');
}

/** A version, an application and an environment, as far as templates may name them in a build. */
export interface BuildNames {
  readonly git_tag: string;
  readonly git_commit: string;
  readonly environment: string;
  readonly application: string;
}

/** What templates of a build are filled with. */
export function buildValues(names: BuildNames): TemplateValues {
  return { ...names, version: names.git_tag, service: names.application };
}

/**
 * The open variables that builds and tests of an application are given: what Floy says about the
 * version, and its own `env` filled in. A variable that names a host has a meaning on hosts only and
 * is left out. Nothing else of the environment is seen, so that one build can serve all of them.
 */
export function buildEnvironment(
  settings: Pick<BuildSettings, 'env'>,
  names: BuildNames,
): Record<string, string> {
  const values = buildValues(names);
  const filled = Object.entries(settings.env).flatMap(([name, value]) =>
    isFillable(value, values) ? [[name, fillTemplate(value, values, `env.${name}`)]] : [],
  );
  const { git_tag, git_commit, application } = names;
  const said = exportedValues({ git_tag, git_commit, version: git_tag, application });
  return { ...(Object.fromEntries(filled) as Record<string, string>), ...said };
}
