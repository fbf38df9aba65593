import { artifactSize } from '@floy/database/read-models/services';
import { UnavailableError } from '@floy/domain';
import { Type } from 'typebox';
import { route } from './route.js';

const GZIP = 'application/gzip';

export const artifactRoutes = [
  route({
    method: 'GET',
    path: '/artifacts/{sha256}',
    role: 'deployer',
    summary: 'Download what a build made',
    tag: 'Artifacts',
    answer: Type.String(),
    file: GZIP,
    async handle({ knex, deps }, { params: { sha256 } }) {
      await artifactSize(knex, sha256);
      if (!deps.artifacts) {
        throw new UnavailableError(
          'This gateway does not reach the artifact store: FLOY_ARTIFACTS',
        );
      }
      const { size, stream } = await deps.artifacts.open(sha256);
      return { file: { type: GZIP, name: `${sha256}.tar.gz`, size, open: stream } };
    },
  }),
];
