import type { Change } from '@floy/domain';

/** One kind of what the fold decides. */
export type ChangeOf<D extends Change['do']> = Extract<Change, { do: D }>;
