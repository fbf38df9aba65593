import { Type, type Static } from 'typebox';
import {
  Answer,
  Closed,
  Name,
  NullableText,
  NullableTimestamp,
  PageOf,
  Paging,
  RequiredText,
  Timestamp,
  Words,
} from '../schema-words.js';

/** Viewer reads; deployer also deploys; admin does everything. */
export const Role = Words(['viewer', 'deployer', 'admin']);
export type Role = Static<typeof Role>;

/** A token without its secret. */
export const Token = Answer('Token', {
  id: Type.String(),
  name: Type.String(),
  owner: Type.String(),
  role: Role,
  created_at: Timestamp,
  expires_at: NullableTimestamp,
  revoked_at: NullableTimestamp,
  last_used_at: NullableTimestamp,
});
export type Token = Static<typeof Token>;

/** The one answer that shows the secret. */
export const CreatedToken = Answer('CreatedToken', {
  ...Token.properties,
  token: Type.String(),
});
export type CreatedToken = Static<typeof CreatedToken>;

export const CreateTokenRequest = Closed(
  {
    name: Name,
    owner: Name,
    role: Role,
    expires_at: Type.Optional(NullableTimestamp),
  },
  'CreateTokenRequest',
);
export type CreateTokenRequest = Static<typeof CreateTokenRequest>;

export const ListTokensRequest = Closed({ ...Paging }, 'ListTokensRequest');
export type ListTokensRequest = Static<typeof ListTokensRequest>;

export const TokenListResponse = Answer('TokenListResponse', {
  tokens: Type.Array(Token),
  ...PageOf,
});
export type TokenListResponse = Static<typeof TokenListResponse>;

/** One changing call: who did what to what, and how it was answered. */
export const AuditEntry = Answer('AuditEntry', {
  id: Type.String(),
  at: Timestamp,
  actor: Type.String(),
  token_id: NullableText,
  /** Method and route, such as `POST /api/v1/deployments`. */
  action: Type.String(),
  /** The id of what was acted on, or "". */
  subject: Type.String(),
  /**
   * The HTTP status of the answer. What is answered by hosts has two lines of one `request_id`: 202
   * when it was asked, and then how it was answered.
   */
  outcome: Type.Integer(),
  request_id: Type.String(),
  /** What else there is to say: the command that was run, its secrets masked. */
  data: Type.Record(Type.String(), Type.Unknown()),
});
export type AuditEntry = Static<typeof AuditEntry>;

export const ListAuditRequest = Closed(
  { actor: Type.Optional(RequiredText), ...Paging },
  'ListAuditRequest',
);
export type ListAuditRequest = Static<typeof ListAuditRequest>;

export const AuditListResponse = Answer('AuditListResponse', {
  entries: Type.Array(AuditEntry),
  ...PageOf,
});
export type AuditListResponse = Static<typeof AuditListResponse>;
