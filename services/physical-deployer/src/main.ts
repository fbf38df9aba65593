import { catalogues } from '@floy/contracts';
import { runAlone } from '@floy/service-kit/run-alone';
import { compose } from './compose.js';
import { env, settings } from './config.js';

await runAlone({
  name: 'physical-deployer',
  settings,
  env,
  catalogues,
  compose: ({ deps }, config) =>
    compose(deps, { artifacts: config.FLOY_ARTIFACTS, publicUrl: config.FLOY_PUBLIC_URL }),
});
