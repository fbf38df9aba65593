import { catalogues } from '@floy/contracts';
import { runAlone } from '@floy/service-kit/run-alone';
import { compose } from './compose.js';
import { env, settings } from './config.js';

await runAlone({
  name: 'build-runner',
  settings,
  env,
  catalogues,
  compose: ({ deps }, config) =>
    compose(deps, {
      artifacts: config.FLOY_ARTIFACTS,
      buildUser: config.FLOY_BUILD_USER,
      packageHosts: config.FLOY_PACKAGE_HOSTS,
    }),
});
