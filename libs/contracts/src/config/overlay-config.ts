import { readKey } from './check-config.js';
import { configKey } from './config-keys.js';

type Config = Readonly<Record<string, unknown>>;

/**
 * What a task sees: the environment's config overlaid by the application's, `env` and `secrets`
 * name by name, connection keys from the environment alone.
 */
export function overlayConfig(environment: Config, application: Config): Record<string, unknown> {
  const overlaid: Record<string, unknown> = { ...environment };
  for (const [name, value] of Object.entries(application)) {
    if (configKey(name)?.connection || value === null) continue;
    overlaid[name] = value;
  }
  for (const name of ['env', 'secrets'] as const) {
    const merged = { ...readKey(name, environment), ...readKey(name, application) };
    if (Object.keys(merged).length > 0) overlaid[name] = merged;
  }
  return overlaid;
}
