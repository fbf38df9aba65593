/** The end of what was written: memory stays bounded whatever a command prints. */
export interface TailBuffer {
  push(chunk: Buffer): void;
  clear(): void;
  text(): string;
}

export const OUTPUT_LIMIT_BYTES = 64 * 1024;

export function createTailBuffer(limit = OUTPUT_LIMIT_BYTES): TailBuffer {
  let chunks: Buffer[] = [];
  let size = 0;
  const shrink = (): Buffer => {
    const all = Buffer.concat(chunks);
    const tail = all.subarray(Math.max(0, all.length - limit));
    chunks = [tail];
    size = tail.length;
    return tail;
  };
  return {
    push(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      // Joining at twice the limit makes it cheap per byte.
      if (size > 2 * limit) shrink();
    },
    clear() {
      chunks = [];
      size = 0;
    },
    text: () => shrink().toString('utf8'),
  };
}
