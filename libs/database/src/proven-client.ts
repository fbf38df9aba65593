import type { EventEmitter } from 'node:events';
import type { TLSSocket } from 'node:tls';
import pg from 'pg';

/** The connection inside a client of `pg`, which tells each message of the server by its name. */
interface Wire extends EventEmitter {
  /** Another one as soon as TLS begins. */
  readonly stream: Pick<TLSSocket, 'destroy'> & Partial<TLSSocket>;
  /** Begins to read from a stream: the plain one, or that inside of TLS. */
  attachListeners(stream: EventEmitter & Pick<TLSSocket, 'destroy'>): void;
}

/**
 * A client of Postgres that gives its password away to nobody. `pg` does whatever the server asks
 * for: sends the password in clear, or goes on with a server that has proven nothing. Outside of
 * TLS with a verified certificate only SCRAM will do here, where each side proves to the other that
 * it knows the password and neither can repeat what it heard. And what is no message of Postgres'
 * ends this connection, while `pg` throws it into the process.
 */
export class ProvenClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    const wire = (this as unknown as { connection: Wire }).connection;
    containGarbage(wire);
    // By now `pg` has its own listeners, and the server was not asked anything yet.
    wire.once('connect', () => demandProof(wire, this.password ?? ''));
  }
}

function containGarbage(wire: Wire): void {
  const attach = wire.attachListeners.bind(wire);
  wire.attachListeners = (stream) => {
    const emit = stream.emit.bind(stream);
    stream.emit = (event, ...values: unknown[]) => {
      try {
        return emit(event, ...values);
      } catch (cause) {
        stream.destroy();
        wire.emit('error', new Error('Postgres sent what nobody understands', { cause }));
        return true;
      }
    };
    attach(stream);
  };
}

function demandProof(wire: Wire, password: string): void {
  let failed = false;
  let proven = false;
  const refuse = (why: string): void => {
    // It may have said all of this in one breath.
    wire.removeAllListeners('readyForQuery');
    wire.emit('error', new Error(`Postgres is not trusted: ${why}`));
    wire.stream.destroy();
  };
  for (const asked of ['authenticationCleartextPassword', 'authenticationMD5Password']) {
    const answers = wire.listeners(asked);
    wire.removeAllListeners(asked);
    wire.on(asked, (...words: unknown[]) => {
      if (isVerified(wire)) for (const answer of answers) answer.call(wire, ...words);
      else
        refuse(
          'it asks for the password in a form that can be stolen. Set password_encryption and ' +
            'pg_hba.conf to scram-sha-256, or use TLS with a certificate (sslmode=verify-full)',
        );
    });
  }
  wire.on('error', () => (failed = true));
  // Behind the listener of `pg`, for which a wrong signature of the server is an error.
  wire.on('authenticationSASLFinal', () => (proven = !failed));
  wire.on('authenticationOk', () => {
    if (password === '' || proven || isVerified(wire)) return;
    refuse(
      'it lets us in without proof that it knows the password. Where it is right to ask for none, ' +
        'take the password out of the URL',
    );
  });
}

function isVerified({ stream }: Wire): boolean {
  return stream.encrypted === true && stream.authorized === true;
}
