import {
  environmentConfigProblems,
  keepRedacted,
  redactSecrets,
  type Environment,
  type EnvironmentRepository,
  type EnvironmentService,
} from '@floy/contracts';
import { checkFields } from './check-fields.js';
import { pageOf } from './paging.js';

/** Said where a changed config is refused: most likely only a part of it was sent. */
const WHOLE =
  'A PUT leaves out fields that stay as they are, but replaces config whole: send all its keys, ' +
  'and <redacted> for a secret that stays';

/** Environments as the API knows them: secrets are taken and never shown. */
export function createEnvironmentService(
  environments: EnvironmentRepository,
  /** Keeps others from changing the environment until the transaction ends. */
  lock: (id: string) => Promise<void>,
): EnvironmentService {
  return {
    async createEnvironment({ name, type, config: sent, is_active }) {
      const config = keepRedacted(sent, {});
      checkFields(environmentConfigProblems(type, config));
      const environment = { name, type, config, is_active: is_active ?? true };
      return shown(await environments.create(environment));
    },
    async getEnvironmentList({ type, is_active: isActive, ...paging }) {
      const page = pageOf(paging);
      const { items, total } = await environments.list({ type, isActive, ...page });
      const list = items.map(shown);
      return { environments: list, total, page: page.page, page_size: page.pageSize };
    },
    getEnvironment: async (id) => shown(await environments.getById(id)),
    async updateEnvironment(id, { name, type, config: sent, is_active }) {
      await lock(id);
      const before = await environments.getById(id);
      if (type !== undefined && type !== before.type) {
        checkFields({ type: `must stay ${before.type}: make another environment` });
      }
      const config = sent === undefined ? before.config : keepRedacted(sent, before.config);
      if (sent !== undefined) checkFields(environmentConfigProblems(before.type, config), WHOLE);
      const change = {
        id,
        name: name ?? before.name,
        config,
        is_active: is_active ?? before.is_active,
      };
      return shown(await environments.update(change));
    },
    deleteEnvironment: (id) => environments.delete(id),
  };
}

function shown(environment: Environment): Environment {
  return { ...environment, config: redactSecrets(environment.config) };
}
