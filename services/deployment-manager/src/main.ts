import { catalogues } from '@floy/contracts';
import { runAlone } from '@floy/service-kit/run-alone';
import { compose } from './compose.js';
import { env, settings } from './config.js';

await runAlone({
  name: 'deployment-manager',
  settings,
  env,
  catalogues,
  compose: ({ deps }) => compose(deps),
});
