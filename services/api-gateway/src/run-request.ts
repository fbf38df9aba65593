import { noteInAudit, type AuditNote } from '@floy/database/repositories/audit';
import { createIdempotencyKeys } from '@floy/database/repositories/idempotency-keys';
import type {
  IdempotencyKeys,
  KeptAnswer,
  RepeatableRequest,
} from '@floy/database/repositories/idempotency-keys';
import type { TokenHolder } from '@floy/database/repositories/tokens';
import { InvalidRequestError, UnavailableError } from '@floy/domain';
import type { Exchange } from '@floy/service-kit/http-app';
import { errorAnswer } from '@floy/service-kit/http-errors';
import type { Input, Reply, Route } from '@floy/service-kit/http-route';
import { setTimeout as wait } from 'node:timers/promises';
import { createScope, type GatewayDeps, type Scope } from './scope.js';
import { OutcomeUnknownError } from './services/questions.js';

interface Ran {
  readonly reply: Reply;
  /** The line of audit; undefined for a reply that belongs to an earlier request of the same key. */
  readonly line: AuditNote | undefined;
}

/** How often a repeat looks whether the first one has been answered. Milliseconds. */
const LOOK_MS = 250;

/**
 * Runs a handler. What changes something runs in one transaction together with its line of audit
 * and the claim of its Idempotency-Key: all of it happens or nothing does, and a request that is
 * refused leaves no trace.
 */
export async function runRequest(
  deps: GatewayDeps,
  route: Route<Scope>,
  exchange: Exchange<TokenHolder>,
  input: Input<never, never, never>,
  bytes: Uint8Array,
): Promise<Reply> {
  const { owner, id, role } = exchange.caller;
  const actor = { name: owner, tokenId: id };
  if (route.method === 'GET') return route.handle(createScope(deps, actor, role), input);
  const repeatable = repeatableOf(route, exchange, bytes);
  const { reply, line } = await deps.database.transaction(async (tx): Promise<Ran> => {
    const scope = createScope(deps, actor, role, tx);
    const keys = createIdempotencyKeys(tx.knex, deps.sealer);
    if (repeatable !== undefined) {
      const claim = await keys.claim(repeatable);
      if (claim.state === 'answered') return { reply: claim.answer, line: undefined };
      if (claim.state === 'working') {
        return { reply: { later: () => awaitFirst(deps, repeatable, exchange) }, line: undefined };
      }
    }
    const first = await route.handle(scope, input);
    const answer = answerOf(first, route);
    if (repeatable !== undefined && answer !== undefined) await keys.keep(repeatable, answer);
    const line: AuditNote = {
      actor: actor.name,
      token_id: actor.tokenId,
      action: `${route.method} /api/v1${route.path}`,
      subject: subjectOf(input, answer),
      outcome: answer?.status ?? 202,
      request_id: exchange.requestId,
      data: scope.remarks,
    };
    noteInAudit(tx, line);
    return { reply: first, line };
  });
  if (line === undefined || !('later' in reply)) return reply;
  // A question is answered after the commit: then its answer is kept, and told in the audit.
  const later = () => tellOutcome(deps, route, line, reply.later);
  if (repeatable === undefined) return { later };
  const keys = createIdempotencyKeys(deps.database.knex, deps.sealer);
  return { later: () => keepAnswer(keys, route, repeatable, exchange.requestId, later) };
}

/**
 * Adds a second line of audit with how a question was answered in the end. The first one stands
 * already, so that a line that cannot be written hides nothing and fails no answer.
 */
async function tellOutcome(
  { database }: GatewayDeps,
  route: Route<Scope>,
  line: AuditNote,
  later: () => Promise<Reply>,
): Promise<Reply> {
  const tell = (outcome: number) =>
    database
      .transaction(async (tx) => noteInAudit(tx, { ...line, outcome }))
      .catch(() => undefined);
  try {
    const reply = await later();
    await tell(answerOf(reply, route)?.status ?? route.status);
    return reply;
  } catch (error) {
    await tell(errorAnswer(error, line.request_id).status);
    throw error;
  }
}

function repeatableOf(
  route: Route<Scope>,
  { request, caller }: Exchange<TokenHolder>,
  body: Uint8Array,
): RepeatableRequest | undefined {
  const key = request.header('Idempotency-Key');
  if (route.method !== 'POST' || key === undefined) return undefined;
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new InvalidRequestError('The Idempotency-Key must be 1 to 255 printable characters', {
      'Idempotency-Key': 'must be 1 to 255 printable characters',
    });
  }
  return { tokenId: caller.id, route: `POST ${request.path}`, key, body };
}

async function keepAnswer(
  keys: IdempotencyKeys,
  route: Route<Scope>,
  repeatable: RepeatableRequest,
  requestId: string,
  later: () => Promise<Reply>,
): Promise<Reply> {
  try {
    const reply = await later();
    const answer = answerOf(reply, route);
    if (answer !== undefined) await keys.keep(repeatable, answer);
    return reply;
  } catch (error) {
    // Where the outcome is unknown this is the answer: repeating would do it a second time.
    if (error instanceof OutcomeUnknownError)
      await keys.keep(repeatable, { ...errorAnswer(error, requestId), location: undefined });
    else await keys.forget(repeatable);
    throw error;
  }
}

async function awaitFirst(
  deps: GatewayDeps,
  repeatable: RepeatableRequest,
  { request }: Exchange<TokenHolder>,
): Promise<Reply> {
  const keys = createIdempotencyKeys(deps.database.knex, deps.sealer);
  const until = performance.now() + 310_000;
  while (performance.now() < until && !request.socket.destroyed) {
    const claim = await keys.look(repeatable);
    if (claim.state === 'answered') return claim.answer;
    if (claim.state === 'first') break;
    await wait(LOOK_MS);
  }
  throw new UnavailableError('The first request with this Idempotency-Key was not answered');
}

function answerOf(reply: Reply | KeptAnswer, route: Route<Scope>): KeptAnswer | undefined {
  if (!('body' in reply)) return undefined;
  return { status: reply.status ?? route.status, location: reply.location, body: reply.body };
}

function subjectOf(
  input: Input<unknown, unknown, unknown>,
  answer: KeptAnswer | undefined,
): string {
  const made = (answer?.body as { id?: unknown } | undefined)?.id;
  if (typeof made === 'string') return made;
  const { id } = input.params as { id?: string };
  return id ?? '';
}
