import {
  AuditListResponse,
  CreatedToken,
  CreateTokenRequest,
  Deleted,
  ListAuditRequest,
  ListTokensRequest,
  TokenListResponse,
} from '@floy/contracts';
import { checkFields } from '../services/check-fields.js';
import { pageOf } from '../services/paging.js';
import { route } from './route.js';

const tag = 'Tokens';

export const tokenRoutes = [
  route({
    method: 'POST',
    path: '/tokens',
    role: 'admin',
    summary: 'Create a token; its secret is shown this once',
    tag,
    body: CreateTokenRequest,
    status: 201,
    answer: CreatedToken,
    async handle({ tokens, actor }, { body }) {
      const past = Date.parse(body.expires_at ?? '') <= Date.now();
      checkFields({ expires_at: past ? 'must lie ahead' : undefined });
      const token = await tokens.create(body, actor.name);
      return { body: token, location: `/api/v1/tokens/${token.id}` };
    },
  }),
  route({
    method: 'GET',
    path: '/tokens',
    role: 'admin',
    summary: 'List tokens, without their secrets',
    tag,
    query: ListTokensRequest,
    answer: TokenListResponse,
    async handle({ tokens }, { query }) {
      const page = pageOf(query);
      const { items, total } = await tokens.list(page);
      return { body: { tokens: items, total, page: page.page, page_size: page.pageSize } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tokens/{id}',
    role: 'admin',
    summary: 'Revoke a token',
    tag,
    answer: Deleted,
    async handle({ tokens }, { params }) {
      await tokens.revoke(params.id);
      return { body: { message: 'Token revoked successfully' } };
    },
  }),
  route({
    method: 'GET',
    path: '/audit',
    role: 'admin',
    summary: 'Who changed what',
    tag: 'Audit',
    query: ListAuditRequest,
    answer: AuditListResponse,
    async handle({ audit }, { query: { actor, ...paging } }) {
      const page = pageOf(paging);
      const { items, total } = await audit.list({ ...page, actor });
      return { body: { entries: items, total, page: page.page, page_size: page.pageSize } };
    },
  }),
];
