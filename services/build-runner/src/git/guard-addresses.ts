import { VerdictError } from '@floy/domain';
import { checkedAddresses, type PackageRules } from '../package/package-address.js';
import type { PinnedHost } from './git-words.js';
import { openGuardedProxy } from './guarded-proxy.js';
import type { Repository } from './repository.js';

/** What keeps git from addresses that are not public, while it fetches. */
export interface AddressGuard {
  /** For ssh: the one address that it may connect to. */
  readonly pinned?: PinnedHost;
  /** For the fetch: the way by Floy's proxy. */
  readonly environment: Record<string, string>;
  /** Why git was kept from an address, if it was: git itself knows only that it was. */
  refusal(): Error | undefined;
  close(): Promise<void>;
}

/**
 * Guards a fetch where `FLOY_PRIVATE_GIT` is `no`. By https git asks a proxy of Floy's own, which
 * looks at the address of every connection, those of redirects among them. Ssh is given an address
 * that was looked at. Throws `VerdictError` where an address is not public.
 */
export async function guardAddresses(
  { url, transport }: Repository,
  rules: PackageRules,
): Promise<AddressGuard> {
  if (transport === 'https') {
    const proxy = await openGuardedProxy(rules, url);
    const names = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'all_proxy', 'ALL_PROXY'];
    const environment = Object.fromEntries(names.map((name) => [name, proxy.url]));
    const all = { ...environment, no_proxy: '', NO_PROXY: '' };
    return { environment: all, refusal: proxy.refusal, close: proxy.close };
  }
  const { host, port } = sshHost(url);
  const [first] = await checkedAddresses(host, rules, url);
  if (first === undefined) throw new VerdictError(`${url}: ${host} has no address`);
  return {
    // As ssh would write it without the address.
    pinned: { address: first.address, knownAs: port === '22' ? host : `[${host}]:${port}` },
    environment: {},
    refusal: () => undefined,
    close: async () => undefined,
  };
}

function sshHost(url: string): { host: string; port: string } {
  if (!url.includes('://')) {
    const [, host = ''] = /^(?:[^@]*@)?([^:]*):/.exec(url) ?? [];
    return { host: host.toLowerCase(), port: '22' };
  }
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, '').toLowerCase(), port: port || '22' };
}
