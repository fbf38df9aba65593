import type { Client } from '@floy/client/client';
import type { Deployment } from '@floy/contracts';
import { eventLine, picture } from './picture.js';
import { advance, noProgress, type Progress } from './progress.js';
import type { Screen } from './screen.js';

/** A deployment that has ended, and what was seen on the way. */
export interface Followed {
  readonly deployment: Deployment;
  readonly progress: Progress;
  readonly seconds: number;
}

const FRAME_MS = 100;
/** A demo that takes longer is broken. */
const PATIENCE_MS = 120_000;

/** Shows a deployment as it happens, until every target has its verdict. */
export async function followDeployment(
  client: Client,
  screen: Screen,
  wish: { readonly id: string; readonly version: string },
  signal: AbortSignal,
): Promise<Followed> {
  const began = performance.now();
  let progress = noProgress(wish.version);
  const draw = (): void => {
    screen.draw(picture(progress, performance.now() - began, screen.columns(), screen.paint));
  };
  const timer = screen.live ? setInterval(draw, FRAME_MS) : undefined;
  try {
    const deployment = await client.waitForDeployment(wish.id, {
      timeoutMs: PATIENCE_MS,
      signal,
      onEvent(event) {
        const next = advance(progress, event);
        ({ progress } = next);
        if (screen.live) draw();
        else screen.print(eventLine(next.line, screen.paint));
      },
    });
    return { deployment, progress, seconds: (performance.now() - began) / 1000 };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(timer);
    draw();
    screen.keep();
  }
}
