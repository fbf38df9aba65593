import type { Role } from '@floy/contracts';
import type { Static, TSchema } from 'typebox';
import type { FileAnswer } from './http-file.js';
import type { EventSink } from './http-sse.js';

/** `{name}` in a path. */
export type ParamsOf<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & ParamsOf<Rest>
  : unknown;

/** How a request is answered. */
export type Reply =
  | { readonly body: unknown; readonly status?: number; readonly location?: string }
  /** Answered once something outside has answered, after the request's transaction. */
  | { readonly later: () => Promise<Reply> }
  | { readonly file: FileAnswer }
  /** Live events until the client goes or the stream's source ends. */
  | { readonly stream: (sink: EventSink) => Promise<void> };

/** What a handler is given of its request, each part checked by its schema. */
export interface Input<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The client asked for `text/event-stream`. */
  readonly wantsStream: boolean;
  /** `Last-Event-ID`, or undefined when it is absent or not a number. */
  readonly lastEventId: number | undefined;
}

/** Who may call a route. `anyone` needs no token. */
export type RouteRole = Role | 'anyone';

/** One row of the route table: validation, documentation, rights and handler in one place. */
export interface Route<Scope> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the base path, with `{id}` for parameters. */
  readonly path: string;
  readonly role: RouteRole;
  readonly summary: string;
  readonly tag: string;
  readonly query?: TSchema;
  readonly body?: TSchema;
  readonly status: number;
  readonly answer: TSchema;
  /** True where `Accept: text/event-stream` gives live events instead. */
  readonly streams?: boolean;
  /** The media type where the answer is a file instead of JSON. */
  readonly file?: string;
  readonly handle: (scope: Scope, input: Input<never, never, never>) => Promise<Reply>;
}

/** A row as it is written, with the types that its path and schemas give its handler. */
export interface RouteDefinition<
  Scope,
  Path extends string,
  Query extends TSchema,
  Body extends TSchema,
> extends Omit<Route<Scope>, 'path' | 'query' | 'body' | 'handle' | 'status'> {
  readonly path: Path;
  readonly query?: Query;
  readonly body?: Body;
  readonly status?: number;
  readonly handle: (
    scope: Scope,
    input: Input<ParamsOf<Path>, Static<Query>, Static<Body>>,
  ) => Promise<Reply>;
}

/** Binds the type of the scope (what handlers work with) and gives a maker of typed rows. */
export function routesOf<Scope>() {
  return function route<
    const Path extends string,
    Query extends TSchema = TSchema,
    Body extends TSchema = TSchema,
  >(definition: RouteDefinition<Scope, Path, Query, Body>): Route<Scope> {
    return { status: 200, ...definition };
  };
}
