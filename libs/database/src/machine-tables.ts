import type { Machine } from '@floy/domain';

/** The table that holds the status of each machine. */
export const tables: Record<Machine, string> = {
  deployment: 'deployments',
  workflow: 'workflows',
  task: 'tasks',
  release: 'releases',
  instance: 'release_instances',
};
