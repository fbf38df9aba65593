import type { Client } from '@floy/client/client';
import { messageOf } from '@floy/domain';
import type { DemoHost } from './settings.js';

/** What one host runs: as Floy says, and as the host itself answers. */
export interface Sighting {
  readonly name: string;
  readonly url: string;
  /** A version, or why there is none. */
  readonly floySays: string;
  readonly hostSays: string;
  readonly greeting: string;
}

const ANSWER_MS = 5000;

/** The address of the service on a host. */
export const serviceUrl = ({ servicePort }: DemoHost): string => `http://127.0.0.1:${servicePort}/`;

/**
 * Asks Floy and every host which version runs there. Floy answers with the deployment that an
 * instance is live with; the deployments are those so far, with their versions.
 */
export async function lookAtHosts(
  client: Client,
  hosts: readonly DemoHost[],
  deployments: readonly { readonly id: string; readonly version: string }[],
): Promise<Sighting[]> {
  const said = new Map<string, string[]>();
  for (const { id, version } of deployments) {
    for (const { name, status } of (await client.getHealth(id)).checks) {
      if (status === 'healthy') said.set(name, [...(said.get(name) ?? []), version]);
    }
  }
  return Promise.all(
    hosts.map(async (host) => ({
      name: host.name,
      url: serviceUrl(host),
      floySays: said.get(host.name)?.join(' and ') ?? 'nothing healthy',
      ...(await ask(host)),
    })),
  );
}

async function ask(host: DemoHost): Promise<{ hostSays: string; greeting: string }> {
  try {
    const response = await fetch(serviceUrl(host), { signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await response.text();
    if (!response.ok) return { hostSays: `HTTP ${response.status}: ${text.trim()}`, greeting: '' };
    const about = JSON.parse(text) as { version: string; instance: string; greeting: string };
    const isThere = about.instance === host.name;
    return {
      hostSays: isThere ? about.version : `${about.version} of ${about.instance}`,
      greeting: about.greeting,
    };
  } catch (error) {
    return { hostSays: `no answer: ${messageOf(error)}`, greeting: '' };
  }
}
