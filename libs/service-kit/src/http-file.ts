import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** An answer that is a file. */
export interface FileAnswer {
  readonly type: string;
  /** What a browser saves it as: letters, digits, dots and dashes. */
  readonly name: string;
  readonly size: number;
  open(): Readable;
}

/**
 * Sends a file. Where its source fails the connection is cut before the announced size is reached,
 * so that nobody takes a part for the whole.
 */
export async function sendFile(response: ServerResponse, file: FileAnswer): Promise<void> {
  response.writeHead(200, {
    'Content-Type': file.type,
    'Content-Length': file.size,
    'Content-Disposition': `attachment; filename="${file.name}"`,
    'Cache-Control': 'private, no-store',
  });
  try {
    await pipeline(file.open(), response);
  } catch (error) {
    // The client has gone.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
