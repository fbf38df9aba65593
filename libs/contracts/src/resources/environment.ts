import { Type, type Static } from 'typebox';
import {
  Answer,
  Closed,
  Config,
  Name,
  PageOf,
  Paging,
  RequiredText,
  Timestamp,
  UnknownKeys,
  Words,
} from '../schema-words.js';

/** A cluster and namespace, or hosts over SSH. */
export const EnvironmentType = Words(['kubernetes', 'physical']);
export type EnvironmentType = Static<typeof EnvironmentType>;

/** A place to deploy to. */
export const Environment = Answer('Environment', {
  id: Type.String(),
  name: Type.String(),
  type: EnvironmentType,
  config: Config,
  unknown_keys: UnknownKeys,
  is_active: Type.Boolean(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Environment = Static<typeof Environment>;

export const CreateEnvironmentRequest = Closed(
  {
    name: Name,
    type: EnvironmentType,
    config: Config,
    is_active: Type.Optional(Type.Boolean({ default: true })),
  },
  'CreateEnvironmentRequest',
);
export type CreateEnvironmentRequest = Static<typeof CreateEnvironmentRequest>;

/** Changes what is sent; `config` is replaced whole; `type` must be the one it has. */
export const UpdateEnvironmentRequest = Closed(
  {
    name: Type.Optional(Name),
    type: Type.Optional(EnvironmentType),
    config: Type.Optional(Config),
    is_active: Type.Optional(Type.Boolean()),
  },
  'UpdateEnvironmentRequest',
);
export type UpdateEnvironmentRequest = Static<typeof UpdateEnvironmentRequest>;

export const ListEnvironmentsRequest = Closed(
  { type: Type.Optional(EnvironmentType), is_active: Type.Optional(Type.Boolean()), ...Paging },
  'ListEnvironmentsRequest',
);
export type ListEnvironmentsRequest = Static<typeof ListEnvironmentsRequest>;

export const EnvironmentListResponse = Answer('EnvironmentListResponse', {
  environments: Type.Array(Environment),
  ...PageOf,
});
export type EnvironmentListResponse = Static<typeof EnvironmentListResponse>;

/** Approves the key a host shows now (from then on only that one is accepted). */
export const ApproveHostKeyRequest = Closed(
  {
    host: RequiredText,
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    fingerprint: Type.String({
      pattern: '^SHA256:[A-Za-z0-9+/]{43}=?$',
      description: 'as ssh-keygen -lf prints it',
    }),
  },
  'ApproveHostKeyRequest',
);
export type ApproveHostKeyRequest = Static<typeof ApproveHostKeyRequest>;

/** The pinned key of a host, for the whole installation. */
export const HostKey = Answer('HostKey', {
  environment_id: Type.String({ description: 'for which it was accepted' }),
  host: Type.String(),
  port: Type.Integer(),
  fingerprint: Type.String(),
});
export type HostKey = Static<typeof HostKey>;

/** A pinned key and how it came to be. */
export const PinnedKey = Answer('PinnedKey', {
  ...HostKey.properties,
  approved_by: Type.String({
    description: 'the admin who approved it; "" for the first key that was seen of the host',
  }),
  pinned_at: Timestamp,
});
export type PinnedKey = Static<typeof PinnedKey>;

export const PinnedKeysResponse = Answer('PinnedKeysResponse', {
  host_keys: Type.Array(PinnedKey),
});
export type PinnedKeysResponse = Static<typeof PinnedKeysResponse>;
