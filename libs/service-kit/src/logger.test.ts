import { describe, expect, it } from '@jest/globals';
import { createLogger } from './logger.js';

describe('the logger', () => {
  it('writes JSON lines with an ISO time and the level as a word, redacted as a whole', () => {
    const lines: string[] = [];
    const logger = createLogger({
      service: 'sample',
      level: 'info',
      redact: (line) => line.replaceAll('hush', '***'),
      destination: { write: (line) => void lines.push(line) },
    });
    logger.child({ request_id: 'r1' }).warn({ err: new Error('the hush failed') }, 'hush!');
    logger.debug({}, 'not seen');
    expect(lines).toHaveLength(1);
    const [line = ''] = lines;
    expect(line).not.toContain('hush');
    expect(line.endsWith('\n')).toBe(true);
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      service: 'sample',
      request_id: 'r1',
      msg: '***!',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      err: { type: 'Error', message: 'the *** failed' },
    });
  });
});
