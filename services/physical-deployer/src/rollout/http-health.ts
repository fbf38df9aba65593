import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import { request, type RequestOptions } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { request as requestTls } from 'node:https';
import type { SshClient } from '../ssh/ssh-client.js';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { quoteTail } from './quote-tail.js';

const BODY_BYTES = 4096;

/**
 * Asks once; through the connection to a host, or from here without one. Any answer but 2xx is
 * unhealthy, redirects too: what they lead to is not this service.
 *
 * @returns why it is not healthy, with the end of the body, or undefined
 */
export async function httpHealth(
  url: string,
  through: SshClient | undefined,
  limits: { readonly answerMs: number; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { answerMs, signal } = limits;
  const target = parse(url);
  const secure = target.protocol === 'https:';
  const port = Number(target.port || (secure ? 443 : 80));
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const within = narrowSignal(signal);
  within.abortAfter(answerMs, new Error('late'));
  let stream: Duplex | undefined;
  try {
    if (through !== undefined) {
      const plain = await through.dial(host, port, within.signal);
      stream = secure ? connectTls({ socket: plain, servername: host }) : plain;
    }
    const options: RequestOptions = {
      method: 'GET',
      agent: false,
      headers: { connection: 'close', 'user-agent': 'floy' },
    };
    if (stream !== undefined) {
      const socket = asSocket(stream);
      options.createConnection = () => socket;
    }
    const { status, body } = await ask(target, options, secure, within.signal);
    if (status >= 200 && status < 300) return undefined;
    return `${url} answered ${status}${quoteTail(body)}`;
  } catch (error) {
    signal.throwIfAborted();
    if (through?.closed) throw new CouldNotTellError(messageOf(error), {}, { cause: error });
    const late = within.signal.aborted ? `did not answer within ${answerMs / 1000} s` : undefined;
    return `${url} ${late ?? `could not be reached: ${messageOf(error)}`}`;
  } finally {
    within.release();
    stream?.destroy();
  }
}

function parse(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new VerdictError(`health_check_url: ${url} is not an http or https address`);
  }
  return parsed;
}

function ask(
  url: URL,
  options: RequestOptions,
  secure: boolean,
  within: AbortSignal,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = (secure ? requestTls : request)(url, options, (response) => {
      let body = Buffer.alloc(0);
      const answer = (): void => {
        resolve({ status: response.statusCode ?? 0, body: body.toString('utf8') });
        call.destroy();
      };
      response.on('data', (chunk: Buffer) => {
        body = Buffer.concat([body, chunk]);
        if (body.length > BODY_BYTES) answer();
      });
      response.once('end', answer);
      response.once('error', reject);
    });
    // Not the request's own `signal`: the error would wait for a channel that never closes.
    const late = (): void => {
      reject(new Error('late'));
      call.destroy();
    };
    within.addEventListener('abort', late);
    call.once('close', () => {
      within.removeEventListener('abort', late);
      // Else nobody would be told of one that switches protocols, which is no answer.
      reject(new Error('the connection ended without an answer'));
    });
    call.on('error', reject);
    call.end();
  });
}

/** Node's HTTP client calls these on whatever it is given; a channel of SSH has none of them. */
function asSocket(stream: Duplex): Duplex {
  const nothing = (): Duplex => stream;
  const missing: Record<string, unknown> = {};
  for (const name of ['setKeepAlive', 'setNoDelay', 'setTimeout', 'ref', 'unref']) {
    if (!(name in stream)) missing[name] = nothing;
  }
  return Object.assign(stream, missing);
}
