import { Type, type Static, type TSchema } from 'typebox';

/** Text that has to be there: at least one character that is not a space. */
export const RequiredText = Type.String({
  minLength: 1,
  maxLength: 1000,
  pattern: '\\S',
  description: 'not empty',
});

/** What something is called: one line. */
export const Name = Type.String({
  minLength: 1,
  maxLength: 200,
  // First spaces, then a sign that is none: every text is read in one way only.
  pattern: '^[^\\S\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$',
  description: 'one line that is not empty',
});

/** Text that may be empty. */
export const FreeText = Type.String({ maxLength: 10_000 });

/** A moment, RFC 3339 in UTC with milliseconds. */
export const Timestamp = Type.String({ format: 'date-time' });

/** A moment, or null while it has not come. */
export const NullableTimestamp = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date-time',
});

/** Text, or null where there is none. */
export const NullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

/** What an environment or application says: any JSON below each key; known keys are in `config-keys.ts`. */
export const Config = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  description: 'Known keys are checked; any other key is kept as it is.',
});
/** See {@link Config}. */
export type Config = Static<typeof Config>;

/** The keys of a config that Floy does not know. */
export const UnknownKeys = Type.Array(Type.String(), {
  description: 'keys of the config that Floy does not know: they are kept and do nothing',
});

/** One of a closed set of words. */
export function Words<const W extends string[]>(words: readonly [...W], description?: string) {
  return Type.Enum(words, {
    type: 'string',
    ...(description === undefined ? {} : { description }),
  });
}

/** An object that refuses fields it does not know. */
export function Closed<P extends Record<string, TSchema>>(properties: P, $id?: string) {
  return Type.Object(properties, {
    additionalProperties: false,
    ...($id === undefined ? {} : { title: $id }),
  });
}

/** An answer: fields may be added by later versions. */
export function Answer<P extends Record<string, TSchema>>(title: string, properties: P) {
  return Type.Object(properties, { title });
}

/** The two query parameters of every list. */
export const Paging = {
  page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 })),
  page_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
};

/** The three fields that every list has besides its items. */
export const PageOf = {
  total: Type.Integer({ minimum: 0 }),
  page: Type.Integer({ minimum: 1 }),
  page_size: Type.Integer({ minimum: 1, maximum: 100 }),
};

/** The seeds' answer to a DELETE. */
export const Deleted = Answer('Deleted', { message: Type.String() });
/** See {@link Deleted}. */
export type Deleted = Static<typeof Deleted>;

/** A request whose body is `{}` or absent. */
export const EmptyRequest = Closed({}, 'EmptyRequest');
/** See {@link EmptyRequest}. */
export type EmptyRequest = Static<typeof EmptyRequest>;
