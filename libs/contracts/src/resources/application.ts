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
} from '../schema-words.js';

/** Something deployable built from a repository. */
export const Application = Answer('Application', {
  id: Type.String(),
  name: Type.String(),
  repository: Type.String(),
  type: Type.String(),
  config: Config,
  unknown_keys: UnknownKeys,
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Application = Static<typeof Application>;

export const CreateApplicationRequest = Closed(
  {
    name: Name,
    repository: RequiredText,
    type: Name,
    config: Type.Optional(Config),
  },
  'CreateApplicationRequest',
);
export type CreateApplicationRequest = Static<typeof CreateApplicationRequest>;

/** Changes what is sent; `config` is replaced whole. */
export const UpdateApplicationRequest = Closed(
  {
    name: Type.Optional(Name),
    type: Type.Optional(Name),
    config: Type.Optional(Config),
  },
  'UpdateApplicationRequest',
);
export type UpdateApplicationRequest = Static<typeof UpdateApplicationRequest>;

export const ListApplicationsRequest = Closed(
  { repository: Type.Optional(RequiredText), type: Type.Optional(RequiredText), ...Paging },
  'ListApplicationsRequest',
);
export type ListApplicationsRequest = Static<typeof ListApplicationsRequest>;

export const ApplicationListResponse = Answer('ApplicationListResponse', {
  applications: Type.Array(Application),
  ...PageOf,
});
export type ApplicationListResponse = Static<typeof ApplicationListResponse>;
