import { LARGEST_ANSWER } from '@floy/database/repositories/questions';
import type { Redactor } from '@floy/secrets/redaction';
import { OUTPUT_LIMIT_BYTES } from '../ssh/tail-buffer.js';

/** The least that is kept of one text, however many hosts were asked. Characters. */
const LEAST = 1024;
/** No secret has a longer line. Characters. */
const LONGEST_SECRET = 8192;

/**
 * The end of one host's text, masked. What was cut at its front begins with a part of a line, which
 * may be a part of a secret, too: that line is left out.
 */
export function boundedText(text: string, redactor: Redactor, hosts: number): string {
  const limit = Math.max(LEAST, Math.floor(LARGEST_ANSWER / 8 / Math.max(1, hosts)));
  const wasCut = Buffer.byteLength(text) >= OUTPUT_LIMIT_BYTES - 4;
  const whole = redactor.redact(text);
  const end = whole.indexOf('\n');
  const partial = end < 0 || end > LONGEST_SECRET ? LONGEST_SECRET : end + 1;
  return (wasCut ? whole.slice(partial) : whole).slice(-limit);
}
