import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.js';

/** Finds the addresses of a name; the system's resolver unless a test says otherwise. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** What a package may be fetched from, and a repository where FLOY_PRIVATE_GIT is `no`. */
export interface PackageRules {
  /** Hosts, as `FLOY_PACKAGE_HOSTS` names them, whose addresses may be any. */
  readonly hosts: ReadonlySet<string>;
  readonly resolve?: Resolve;
}

/** A package's URL with the addresses that it stands for: those and no others are connected to. */
export interface PackageAddress {
  readonly url: URL;
  readonly hostname: string;
  readonly addresses: readonly LookupAddress[];
}

/** The hosts of `FLOY_PACKAGE_HOSTS`, separated by commas. */
export function packageHosts(text: string): ReadonlySet<string> {
  return new Set(text.split(',').map(hostKey).filter(Boolean));
}

const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true });

/**
 * Reads a package's URL and resolves its host once. Throws VerdictError where it is not https or
 * where any of its addresses is not public: a name with one public and one private address would
 * otherwise be a way in.
 */
export async function packageAddress(text: string, rules: PackageRules): Promise<PackageAddress> {
  const url = readUrl(text);
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  return { url, hostname, addresses: await checkedAddresses(hostname, rules, 'package_url') };
}

/**
 * Finds the addresses of a host once. Throws VerdictError, beginning with `subject`, where any of
 * them is not public and the rules do not name the host. These and no others are to be connected
 * to: asked again, the name might lead elsewhere.
 */
export async function checkedAddresses(
  hostname: string,
  rules: PackageRules,
  subject: string,
): Promise<readonly LookupAddress[]> {
  const family = isIP(hostname);
  const addresses =
    family === 0 ? await resolved(hostname, rules, subject) : [{ address: hostname, family }];
  if (addresses.length === 0) throw new VerdictError(`${subject}: ${hostname} has no address`);
  const refused = addresses.find(({ address }) => !isPublicAddress(address));
  if (refused && !rules.hosts.has(hostKey(hostname))) {
    throw new VerdictError(
      `${subject}: ${hostname} leads to ${refused.address}, which is no public address; ` +
        `FLOY_PACKAGE_HOSTS can name hosts that are meant`,
    );
  }
  return addresses;
}

/** The URL as it may be shown: what follows the path may be a signature. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function readUrl(text: string): URL {
  const refuse = (why: string): never => {
    throw new VerdictError(`package_url ${why}`);
  };
  // A parser of URLs drops line breaks and takes backslashes for slashes; nobody means those.
  if (/[\p{Cc}\s\\]/u.test(text)) refuse('holds spaces, backslashes or control characters');
  if (!/^https:\/\/[^/]/i.test(text)) refuse('must be an https URL');
  const url = URL.canParse(text) ? new URL(text) : refuse('is no valid URL');
  if (url.protocol !== 'https:') refuse('must be an https URL');
  if (url.username !== '' || url.password !== '') refuse('must not hold a user or a password');
  return url;
}

async function resolved(
  hostname: string,
  rules: PackageRules,
  subject: string,
): Promise<readonly LookupAddress[]> {
  try {
    return await (rules.resolve ?? systemResolve)(hostname);
  } catch (error) {
    const text = `${subject}: ${hostname} could not be resolved: ${messageOf(error)}`;
    if ((error as NodeJS.ErrnoException).code === 'ENOTFOUND') throw new VerdictError(text);
    throw new CouldNotTellError(text);
  }
}

/** A trailing dot and the case make no other host. */
function hostKey(hostname: string): string {
  return hostname
    .trim()
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}
