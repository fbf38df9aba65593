import { compose as composeGateway } from '@floy/api-gateway';
import { compose as composeDeploymentManager } from '@floy/deployment-manager';
import { runAlone } from '@floy/service-kit/run-alone';
import { coreSettings, settings as all } from '@floy/service-kit/settings';
import { compose as composeWorkflowManager } from '@floy/workflow-manager';
import { Type } from 'typebox';
import { tableCatalogues } from './table-catalogues.js';

// Floy as it is, given one deployer more.
await runAlone({
  name: 'table-managers',
  settings: Type.Object({
    ...coreSettings,
    FLOY_HOST: all.FLOY_HOST,
    FLOY_PORT: all.FLOY_PORT,
    FLOY_ADMIN_TOKEN: all.FLOY_ADMIN_TOKEN,
  }),
  env: process.env,
  catalogues: tableCatalogues,
  async compose({ deps, ready }, config) {
    const services = [
      await composeDeploymentManager(deps),
      await composeWorkflowManager(deps),
      await composeGateway(deps, config, ready),
    ];
    return { stop: async () => void (await Promise.all(services.map((each) => each.stop()))) };
  },
});
