import { describe, expect, it } from '@jest/globals';
import { phaseSeconds } from './phase-seconds.js';

const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const times = {
  cancelled: false,
  queuedAt: at(0),
  startedAt: at(2),
  undoingAt: null,
  completedAt: at(12),
  settledAt: at(12),
};

describe('the phases of a deployment', () => {
  it('are queued and forward where all went well', () => {
    expect(phaseSeconds(times)).toEqual([
      ['queued', 2],
      ['forward', 10],
    ]);
  });

  it('end with the undo of what failed', () => {
    expect(phaseSeconds({ ...times, undoingAt: at(9) })).toEqual([
      ['queued', 2],
      ['forward', 7],
      ['undoing', 3],
    ]);
  });

  it('go on after a cancel, which is the end at once', () => {
    const cancelled = { ...times, cancelled: true, completedAt: at(5), undoingAt: at(8) };
    expect(phaseSeconds(cancelled)).toEqual([
      ['queued', 2],
      ['forward', 3],
      ['stopping', 3],
      ['undoing', 4],
    ]);
  });

  it('are one where it never began', () => {
    const never = { ...times, startedAt: null, cancelled: true };
    expect(phaseSeconds(never)).toEqual([['queued', 12]]);
  });
});
