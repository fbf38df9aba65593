import type { UserRange } from './build-user.js';

/** Build users of tests, apart from those of a Floy that runs on the same machine. */
export const TEST_USERS: UserRange = { first: 2_120_000_000, last: 2_120_004_095 };
