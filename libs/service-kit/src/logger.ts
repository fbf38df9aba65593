import pino, { type DestinationStream } from 'pino';

/** Writes what happened, as one JSON object a line. `fields` may hold `err`, a thrown error. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds these fields to every line: `request_id`, `deployment_id`. */
  child(fields: object): Logger;
}

/** What is logged, how, and where to. */
export interface LoggerOptions {
  readonly service: string;
  readonly level: string;
  /** Applied to every whole line before it is written: law 8. */
  readonly redact: (line: string) => string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** Time is RFC 3339 in UTC, the level a word. Lines are written at once: a crash loses none. */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? pino.destination({ fd: 1, sync: true });
  return pino(
    {
      level: options.level,
      base: { service: options.service, pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    },
    { write: (line) => void destination.write(options.redact(line)) },
  );
}
