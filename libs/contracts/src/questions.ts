/** A live question to a deployer; sealed in its row. The deployer's own kinds say more. */
export interface Question {
  readonly kind: string;
  /** Seconds; none begins after them. */
  readonly timeout: number;
}

/** At which commit the repository of an application has a tag: a question to a build-runner. */
export interface TagQuestion extends Question {
  readonly kind: 'resolve-tag';
  /** Its address is asked, with its key. */
  readonly applicationId: string;
  readonly gitTag: string;
}

/** An answer; sealed in the question's row. `refused` says why it was not asked, as an HTTP error. */
export type QuestionAnswer =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly refused: 'invalid' | 'conflict' | 'unavailable';
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };
