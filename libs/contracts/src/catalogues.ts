import type { Deployers } from './deployers/deployer.js';
import { deployers } from './deployers/deployers.js';
import { messageCatalogue, type MessageCatalogue } from './messages.js';

/** What an installation consists of: every process is given the same at its start. */
export interface Catalogues {
  readonly deployers: Deployers;
  readonly messages: MessageCatalogue;
}

/** Those of Floy. */
export const catalogues: Catalogues = { deployers, messages: messageCatalogue };
