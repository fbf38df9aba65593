import { readKey } from './check-config.js';
import { overlayConfig } from './overlay-config.js';
import { fillTemplate, type TemplateValues } from './template.js';

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
  /** Not filled: no host is known while building. */
  readonly env: Readonly<Record<string, string>>;
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
    env: readKey('env', config) ?? {},
    secrets: readKey('secrets', config) ?? {},
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
  const encoded = Object.entries(values).map(([name, value]) => [name, encodeURIComponent(value)]);
  return fillTemplate(settings.packageUrl, Object.fromEntries(encoded), 'package_url');
}
