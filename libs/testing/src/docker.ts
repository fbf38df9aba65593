import { connect } from 'node:net';

/** A container that testcontainers has started; its own reaper ends it with the tests. */
export interface StartedContainer {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Whether a Docker engine answers; asked without loading the client, which is large. */
export function dockerAnswers(): Promise<boolean> {
  const host = process.env['DOCKER_HOST'];
  const place = host ? new URL(host) : undefined;
  const socket =
    place === undefined || place.protocol === 'unix:'
      ? connect(place?.pathname ?? '/var/run/docker.sock')
      : connect(Number(place.port || 2375), place.hostname);
  return new Promise((resolve) => {
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

/** Starts a container and waits until its port answers. */
export async function startContainer(container: {
  image: string;
  port: number;
  env?: Record<string, string>;
  command?: string[];
}): Promise<StartedContainer> {
  const { GenericContainer } = await import('testcontainers');
  let made = new GenericContainer(container.image)
    .withExposedPorts(container.port)
    .withEnvironment(container.env ?? {});
  if (container.command) made = made.withCommand(container.command);
  const started = await made.start();
  return {
    host: started.getHost(),
    port: started.getMappedPort(container.port),
    stop: async () => void (await started.stop()),
  };
}
