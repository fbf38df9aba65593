import { Agent, request } from 'node:http';

/** What came of one POST. */
export interface Posted {
  readonly id: string;
  /** When the first byte was handed to the socket, by `performance.now()`. */
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** POSTs to Floy over one connection that stays open. */
export function createPoster(floy: { readonly url: string; readonly token: string }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const post = (path: string, body: unknown): { sentAt: number; posted: Promise<Posted> } => {
    const bytes = Buffer.from(JSON.stringify(body));
    const sentAt = performance.now();
    const posted = new Promise<Posted>((resolve, reject) => {
      const sending = request(
        new URL(path, floy.url),
        {
          agent,
          method: 'POST',
          headers: {
            Authorization: `Bearer ${floy.token}`,
            'Content-Type': 'application/json',
            'Content-Length': bytes.length,
          },
        },
        (response) => {
          const pieces: Buffer[] = [];
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('error', reject);
          response.on('end', () => {
            const answeredAt = performance.now();
            const text = Buffer.concat(pieces).toString('utf8');
            if (response.statusCode !== 201) return reject(new Error(`POST ${path}: ${text}`));
            resolve({ ...(JSON.parse(text) as { id: string }), sentAt, answeredAt });
          });
        },
      );
      sending.on('error', reject);
      sending.end(bytes);
    });
    return { sentAt, posted };
  };
  return { post, close: () => agent.destroy() };
}
