/** What the API's document says of one schema, by its title. */
export interface SchemaText {
  readonly description: string;
  /** Real values of it by what they show; the first is shown first. */
  readonly examples: Readonly<Record<string, unknown>>;
  /** Field → meaning, where it is another than that of all fields of this name. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Field → the components that say what may stand in it. */
  readonly shapes?: Readonly<Record<string, readonly string[]>>;
}

/** All that the API's document says besides its schemas. */
export interface ApiText {
  readonly schemas: Readonly<Record<string, SchemaText>>;
  /** Meaning of fields, and of parameters of a path or a query, by their name. */
  readonly fields: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Schemas that no route names. */
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}
