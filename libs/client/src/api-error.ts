import type { ErrorCode } from '@floy/contracts';

/** An answer of the API that says no. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: ErrorCode | 'UNKNOWN',
    message: string,
    readonly details: Readonly<Record<string, unknown>>,
    readonly requestId: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The error that an answer means, also where it is not Floy's envelope. */
export async function apiErrorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  const { error } = parsed(text);
  return new ApiError(
    response.status,
    error?.code ?? 'UNKNOWN',
    error?.message ?? `HTTP ${response.status}: ${text.slice(0, 200)}`,
    error?.details ?? {},
    error?.request_id ?? response.headers.get('x-request-id') ?? '',
  );
}

interface Envelope {
  readonly error?: {
    readonly code?: ErrorCode;
    readonly message?: string;
    readonly details?: Record<string, unknown>;
    readonly request_id?: string;
  };
}

function parsed(text: string): Envelope {
  try {
    return JSON.parse(text) as Envelope;
  } catch {
    return {};
  }
}
