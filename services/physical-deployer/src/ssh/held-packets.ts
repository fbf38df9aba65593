import type { Client } from 'ssh2';

/**
 * How many packets ssh2 keeps back while new keys are exchanged, which a host may begin at any time and
 * never end. ssh2 says so nowhere, and neither asks a writer to wait nor knows an end of it.
 */
export function heldPackets(client: Client): number {
  const { _protocol: protocol } = client as { _protocol?: { _queue?: readonly unknown[] } };
  return protocol?._queue?.length ?? 0;
}
