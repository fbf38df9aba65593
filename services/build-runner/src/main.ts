import { catalogues } from '@floy/contracts';
import { runAlone } from '@floy/service-kit/run-alone';
import { compose } from './compose.js';
import { env, settings, settingsFiles } from './config.js';

await runAlone({
  name: 'build-runner',
  settings,
  env,
  catalogues,
  compose: ({ deps }, config) =>
    compose(deps, {
      artifacts: config.FLOY_ARTIFACTS,
      buildUsers: config.FLOY_BUILD_USERS,
      unconfined: config.FLOY_BUILD_UNCONFINED === 'yes',
      privateGit: config.FLOY_PRIVATE_GIT === 'yes',
      hidden: [...settingsFiles, ...(config.FLOY_HOME ? [config.FLOY_HOME] : [])],
      packageHosts: config.FLOY_PACKAGE_HOSTS,
    }),
});
