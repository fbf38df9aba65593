import { Type, type Static } from 'typebox';
import { Closed } from '../schema-words.js';

/** The right to download an artifact, made for a host that fetches it itself. */
export const DownloadRequest = Closed(
  {
    /** Seconds since 1970. */
    expires: Type.Integer({ minimum: 0 }),
    signature: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  },
  'DownloadRequest',
);
export type DownloadRequest = Static<typeof DownloadRequest>;
