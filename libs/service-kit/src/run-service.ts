import { FloyError, messageOf } from '@floy/domain';
import { createRedactor, type Redactor } from '@floy/secrets/redaction';
import { Type, type Static, type TObject } from 'typebox';
import {
  CONFIG_EXIT_CODE,
  ConfigError,
  readSettings,
  secretValues,
  unknownSettings,
} from './config.js';
import type { Environment } from './config.js';
import { listenProblem } from './listen-problem.js';
import { createLogger, type Logger } from './logger.js';
import { createMetrics, type Metrics } from './metrics.js';
import { startOpsServer, type Checks } from './ops-server.js';
import { processSettings, settings } from './settings.js';
import { startProblem } from './start-problem.js';

/** What a process that has started can be asked. */
export interface Running {
  /** Takes no more work, hands over what it holds, closes what it opened. */
  stop(): Promise<void>;
  /** How the things that it depends on are. */
  ready?(): Checks | Promise<Checks>;
}

/** What a starting service is given by the process that it runs in. */
export interface ServiceProcess<Config> {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Masks in the log: add secrets as they become known. */
  readonly redactor: Redactor;
  /** Aborts when the process is asked to stop. */
  readonly shutdown: AbortSignal;
}

/** One service as a process. */
export interface ServiceProgram<S extends TObject> {
  readonly name: string;
  /** Its settings; those of every process are added. */
  readonly settings: S;
  readonly env: Environment;
  /** How long stopping may take. 30 s by default. */
  readonly stopLimitMs?: number;
  /**
   * May throw `ConfigError` for what only shows later. When `shutdown` aborts it ends soon: it
   * throws, having closed what it opened, or answers and is stopped.
   */
  start(process: ServiceProcess<Static<S>>): Promise<Running>;
}

const STOP_LIMIT_MS = 30_000;
const processSchema = Type.Object(processSettings);

/**
 * The life of a process: reads its settings, starts, serves health and metrics, and on SIGTERM or
 * SIGINT, also while it starts, stops and exits 0. A second signal exits at once; settings that do not fit exit 78;
 * anything nobody has caught is logged and exits 1, since nothing is known of the state it left.
 */
export async function runService<S extends TObject>(program: ServiceProgram<S>): Promise<void> {
  const redactor = createRedactor();
  const { redact } = redactor;
  const service = program.name;
  const read = readConfig(program);
  if (read instanceof ConfigError) {
    refuse(createLogger({ service, level: 'info', redact }), read);
  }
  const { config, own } = read;
  redactor.add(secretValues(program.settings, config));
  const logger = createLogger({ service, level: own.FLOY_LOG_LEVEL, redact });
  const unknown = unknownSettings(program.env, Object.keys(settings));
  if (unknown.length > 0) logger.warn({ unknown }, 'Environment variables that mean nothing');

  const shutdown = new AbortController();
  const die = (message: string) => (error: unknown) => {
    if (error instanceof ConfigError) refuse(logger, error);
    // Its message says what is wrong; where in the code it was found helps nobody.
    if (error instanceof FloyError) logger.error({}, `${message}: ${error.message}`);
    else logger.error({ err: error }, message);
    process.exit(1);
  };
  process.on('unhandledRejection', die('A failure that nobody handled'));
  process.on('uncaughtException', die('An exception that nobody caught'));
  const signalled = new Promise<void>((resolve) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      if (shutdown.signal.aborted) {
        logger.warn({ signal }, 'Exiting at once');
        process.exit(1);
      }
      logger.info({ signal }, 'Stopping');
      const limit = program.stopLimitMs ?? STOP_LIMIT_MS;
      setTimeout(die('Stopping took too long'), limit, 'stopped waiting').unref();
      shutdown.abort();
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });

  const started: { service?: Running } = {};
  const metrics = createMetrics();
  const ops = await startOpsServer({
    host: own.FLOY_OPS_HOST,
    port: own.FLOY_OPS_PORT,
    metrics,
    checks: async () => {
      if (shutdown.signal.aborted) return { process: { status: 'down', reason: 'stopping' } };
      if (!started.service) return { process: { status: 'down', reason: 'starting' } };
      return { process: { status: 'ok' }, ...(await started.service.ready?.()) };
    },
  }).catch((error: unknown) => {
    const at = { host: own.FLOY_OPS_HOST, port: own.FLOY_OPS_PORT };
    const settingsOfIt = { hostSetting: 'FLOY_OPS_HOST', portSetting: 'FLOY_OPS_PORT' };
    return die('Health and metrics cannot be served')(
      listenProblem(error, { ...at, ...settingsOfIt }),
    );
  });
  logger.info({ ops_port: ops.port }, 'Serving health and metrics');

  const running = await program
    .start({ config, logger, metrics, redactor, shutdown: shutdown.signal })
    .catch((error: unknown) => {
      if (!shutdown.signal.aborted) return die('The start failed')(startProblem(error));
      logger.info({ reason: messageOf(error) }, 'The start was given up');
      return undefined;
    });
  if (running) {
    started.service = running;
    logger.info({ started_ms: Math.round(performance.now()) }, 'Started');
    await signalled;
    await running.stop().catch(die('Stopping failed'));
  }
  logger.info({}, 'Stopped');
  process.exit(0);
}

function refuse(logger: Logger, error: ConfigError): never {
  logger.error({ problems: error.problems }, `The configuration is wrong: ${error.message}`);
  process.exit(CONFIG_EXIT_CODE);
}

function readConfig<S extends TObject>(
  program: ServiceProgram<S>,
): { config: Static<S>; own: Static<typeof processSchema> } | ConfigError {
  try {
    const whole = Type.Object({ ...processSettings, ...program.settings.properties });
    const config = readSettings(whole, program.env);
    return { config: config as Static<S>, own: config as Static<typeof processSchema> };
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}
