/** Is told that a host cannot be reached, and until when that is tried; and when it is reached again. */
export type TellUnreachable = (
  away: { readonly reason: string; readonly until: Date } | undefined,
) => void;
