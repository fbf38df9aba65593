import { typeidUnboxed } from 'typeid-js';

export type IdPrefix =
  | 'ver'
  | 'app'
  | 'env'
  | 'dep'
  | 'task'
  | 'wf'
  | 'rel'
  | 'rb'
  | 'evt'
  | 'tok'
  | 'msg'
  | 'ins'
  | 'tgt'
  | 'qst'
  | 'aud'
  | 'floy';

/** A new TypeID: the prefix, then a UUIDv7 in base32, so that ids sort by creation time. */
export function newId(prefix: IdPrefix): string {
  return typeidUnboxed(prefix);
}
