import { fileURLToPath } from 'node:url';

/** The folder of this clone of Floy. */
export const clone = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
