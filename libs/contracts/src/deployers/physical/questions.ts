/** What every question to hosts says: which ones (`host` or `host:port`, all when empty), how long. */
interface ToHosts {
  readonly hosts: readonly string[];
  /** Seconds; none begins after them. */
  readonly timeout: number;
}

interface ToService extends ToHosts {
  /** The service's name; its commands are those of this application. */
  readonly service: string;
  readonly applicationId: string;
}

/** A live question to the deployer of physical environments; sealed in its row. */
export type PhysicalQuestion =
  | (ToService & { readonly kind: 'service-status' })
  | (ToService & { readonly kind: 'restart-service' })
  | (ToHosts & { readonly kind: 'run-command'; readonly command: string })
  | (ToHosts & {
      readonly kind: 'upload-artifact';
      readonly sha256: string;
      /** Null sends it below every `deploy_path` of the environment. */
      readonly applicationId: string | null;
    });

/** The kinds of questions, and which of them change something on a host. */
export const questionKinds = {
  'service-status': { changes: false },
  'restart-service': { changes: true },
  'run-command': { changes: true },
  'upload-artifact': { changes: true },
} as const satisfies Record<PhysicalQuestion['kind'], { changes: boolean }>;
