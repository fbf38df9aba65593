import { DownloadRequest } from '@floy/contracts';
import { artifactSize } from '@floy/database/read-models/services';
import { ForbiddenError, UnavailableError } from '@floy/domain';
import { isSignedLink } from '@floy/secrets/signed-link';
import type { Reply } from '@floy/service-kit/http-route';
import { Type } from 'typebox';
import type { Scope } from '../scope.js';
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
    handle: (scope, { params: { sha256 } }) => download(scope, sha256),
  }),
  route({
    method: 'GET',
    path: '/downloads/{sha256}',
    role: 'anyone',
    summary: 'Download what a build made by a link that was signed for a host',
    tag: 'Artifacts',
    query: DownloadRequest,
    answer: Type.String(),
    file: GZIP,
    async handle(scope, { params: { sha256 }, query }) {
      if (!isSignedLink(scope.deps.sealer, sha256, query))
        throw new ForbiddenError('This link was not signed here, or its time is over');
      return download(scope, sha256);
    },
  }),
];

async function download({ knex, deps }: Scope, sha256: string): Promise<Reply> {
  await artifactSize(knex, sha256);
  if (!deps.artifacts)
    throw new UnavailableError('This gateway does not reach the artifact store: FLOY_ARTIFACTS');
  const { size, stream } = await deps.artifacts.open(sha256);
  return { file: { type: GZIP, name: `${sha256}.tar.gz`, size, open: stream } };
}
