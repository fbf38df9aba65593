import {
  applicationConfigProblems,
  keepRedacted,
  redactSecrets,
  repositoryProblem,
  type Application,
  type ApplicationRepository,
  type ApplicationService,
} from '@floy/contracts';
import { checkFields } from './check-fields.js';
import { pageOf } from './paging.js';

/** Applications as the API knows them: secrets are taken and never shown. */
export function createApplicationService(
  applications: ApplicationRepository,
  /** Keeps others from changing the application until the transaction ends. */
  lock: (id: string) => Promise<void>,
): ApplicationService {
  return {
    async createApplication({ name, repository, type, config: sent = {} }) {
      const config = keepRedacted(sent, {});
      const problems = applicationConfigProblems(config);
      checkFields({ repository: repositoryProblem(repository), ...problems });
      return shown(await applications.create({ name, repository, type, config }));
    },
    async getApplicationList({ repository, type, ...paging }) {
      const page = pageOf(paging);
      const { items, total } = await applications.list({ repository, type, ...page });
      const list = items.map(shown);
      return { applications: list, total, page: page.page, page_size: page.pageSize };
    },
    getApplication: async (id) => shown(await applications.getById(id)),
    async updateApplication(id, { name, type, config: sent }) {
      await lock(id);
      const before = await applications.getById(id);
      const config = sent === undefined ? before.config : keepRedacted(sent, before.config);
      if (sent !== undefined) checkFields(applicationConfigProblems(config));
      const change = { id, name: name ?? before.name, type: type ?? before.type, config };
      return shown(await applications.update(change));
    },
    deleteApplication: (id) => applications.delete(id),
  };
}

function shown(application: Application): Application {
  return { ...application, config: redactSecrets(application.config) };
}
