/** The words for one schema in the API's document. */
export interface SchemaText {
  readonly description: string;
  /** Real values of it by what they show; the first is shown first. */
  readonly examples: Readonly<Record<string, unknown>>;
  /** Field → meaning, where it is another than that of all fields of this name. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Field → the components that say what may stand in it. */
  readonly shapes?: Readonly<Record<string, readonly string[]>>;
}

/** All words of the API's document besides its schemas. */
export interface ApiText {
  readonly schemas: Readonly<Record<string, SchemaText>>;
  /** Meaning of fields, and of parameters of a path or a query, by their name. */
  readonly fields: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Schemas that no route names. */
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}
