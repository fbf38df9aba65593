import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  packageAddress,
  shownUrl,
  type PackageAddress,
  type PackageRules,
} from './package-address.js';

/** Bounds of one download. */
export interface PackageLimits {
  readonly bytes: number;
  readonly seconds: number;
  /** How long nothing may arrive. */
  readonly idleSeconds: number;
}

export interface FetchPackage {
  readonly url: string;
  readonly rules: PackageRules;
  readonly limits: PackageLimits;
  /** Where it goes; made anew. */
  readonly file: string;
  readonly signal: AbortSignal;
  /** Certificates to trust instead of the system's, for tests. */
  readonly ca?: string;
}

/** No package is larger. */
export const LARGEST_PACKAGE = 4 * 1024 ** 3;

/**
 * Downloads a package into a file and answers its size. Only addresses that were checked are
 * connected to, redirects are refused. Throws VerdictError for what will not get better by trying
 * again, CouldNotTellError for a network or a server in trouble.
 */
export async function fetchPackage(options: FetchPackage): Promise<number> {
  const { limits, rules, signal } = options;
  const target = await packageAddress(options.url, rules);
  const late = new VerdictError(`the package did not arrive within ${limits.seconds} s`);
  const within = narrowSignal(signal);
  within.abortAfter(limits.seconds * 1000, late);
  const bounded = { ...options, signal: within.signal };
  try {
    return await receive(await ask(target, bounded), target, bounded);
  } catch (error) {
    within.signal.throwIfAborted();
    throw error;
  } finally {
    within.release();
  }
}

function ask(target: PackageAddress, options: FetchPackage): Promise<IncomingMessage> {
  const { url, hostname, addresses } = target;
  const { limits, signal, ca } = options;
  // The name is not resolved a second time: it might lead elsewhere by now.
  const lookup: LookupFunction = (_hostname, { all }, done) => {
    if (all) return done(null, [...addresses]);
    const [first] = addresses;
    done(null, first?.address ?? '', first?.family ?? 4);
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: 'GET',
      agent: false,
      lookup,
      signal,
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'floy' },
      timeout: limits.idleSeconds * 1000,
      ...(ca === undefined ? {} : { ca }),
    });
    sent.once('socket', (socket) =>
      socket.once('connect', () => {
        // The wall behind the wall: whatever resolved how, this is where the bytes go.
        const { remoteAddress } = socket;
        if (addresses.some(({ address }) => sameAddress(address, remoteAddress))) return;
        sent.destroy(new VerdictError(`${hostname} was reached at another address than checked`));
      }),
    );
    sent.once('timeout', () => sent.destroy(silent(url, limits)));
    sent.once('error', (error) => reject(failure(error, url)));
    sent.once('response', resolve);
    // Else nobody would be told of one that switches protocols, which is no answer.
    sent.once('close', () =>
      reject(failure(new Error('the connection ended without an answer'), url)),
    );
    sent.end();
  });
}

async function receive(
  answer: IncomingMessage,
  { url }: PackageAddress,
  { limits, file, signal }: FetchPackage,
): Promise<number> {
  const refusal = refusalOf(answer, url) ?? tooLarge(Number(answer.headers['content-length']));
  if (refusal) {
    answer.destroy();
    throw refusal;
  }
  answer.socket.setTimeout(limits.idleSeconds * 1000, () => answer.destroy(silent(url, limits)));
  let size = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      done(tooLarge(size), chunk);
    },
  });
  try {
    await pipeline(answer, counted, createWriteStream(file, { mode: 0o600 }), { signal });
  } catch (error) {
    throw failure(error as NodeJS.ErrnoException, url);
  }
  return size;

  function tooLarge(bytes: number): VerdictError | null {
    if (!(bytes > limits.bytes)) return null;
    return new VerdictError(`the package is larger than ${limits.bytes} bytes`);
  }
}

/** Why an answer is not the package, if it is not. */
function refusalOf(answer: IncomingMessage, url: URL): Error | undefined {
  const status = answer.statusCode ?? 0;
  if (status === 200) return undefined;
  const said = `${shownUrl(url)} answered ${status}`;
  if (status >= 300 && status < 400) {
    return new VerdictError(`${said}: package_url is not redirected, name the package itself`);
  }
  const mayPass = status >= 500 || status === 408 || status === 429;
  return mayPass ? new CouldNotTellError(said) : new VerdictError(said);
}

function failure(error: NodeJS.ErrnoException, url: URL): Error {
  if (error instanceof VerdictError || error instanceof CouldNotTellError) return error;
  const text = `${shownUrl(url)} could not be fetched: ${messageOf(error)}`;
  const distrusted = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(error.code ?? '');
  return distrusted ? new VerdictError(text) : new CouldNotTellError(text);
}

function silent(url: URL, { idleSeconds }: PackageLimits): CouldNotTellError {
  return new CouldNotTellError(`${shownUrl(url)} sent nothing for ${idleSeconds} s`);
}

function sameAddress(checked: string, reached: string | undefined): boolean {
  if (reached === undefined) return false;
  const family = isIP(checked) === 6 ? 'ipv6' : 'ipv4';
  const one = new BlockList();
  one.addAddress(checked, family);
  return one.check(reached, isIP(reached) === 6 ? 'ipv6' : 'ipv4');
}
