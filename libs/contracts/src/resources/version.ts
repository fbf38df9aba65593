import { Type, type Static } from 'typebox';
import {
  Answer,
  Closed,
  FreeText,
  PageOf,
  Paging,
  RequiredText,
  Timestamp,
} from '../schema-words.js';

/** An immutable point of a repository that can be deployed. */
export const Version = Answer('Version', {
  id: Type.String(),
  git_tag: Type.String(),
  git_commit: Type.String(),
  repository: Type.String(),
  created_by: Type.String(),
  created_at: Timestamp,
  description: Type.String(),
});
export type Version = Static<typeof Version>;

export const CreateVersionRequest = Closed(
  {
    git_tag: RequiredText,
    /** Without it the commit is the one that the repository has the tag at. */
    git_commit: Type.Optional(RequiredText),
    repository: RequiredText,
    description: Type.Optional(FreeText),
  },
  'CreateVersionRequest',
);
export type CreateVersionRequest = Static<typeof CreateVersionRequest>;

/** A request whose commit is known. */
export type WholeVersionRequest = CreateVersionRequest & { git_commit: string };

export const ListVersionsRequest = Closed(
  { repository: Type.Optional(RequiredText), ...Paging },
  'ListVersionsRequest',
);
export type ListVersionsRequest = Static<typeof ListVersionsRequest>;

export const VersionListResponse = Answer('VersionListResponse', {
  versions: Type.Array(Version),
  ...PageOf,
});
export type VersionListResponse = Static<typeof VersionListResponse>;
