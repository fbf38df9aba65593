import type {
  DeploymentStatus,
  InstanceStatus,
  Phase,
  ReleaseStatus,
  TaskStatus,
  Verdict,
} from './states.js';
import type { Millis } from './tree.js';

/** What the fold decides; `libs/database/transitions` carries each out in one transaction. */
export type Change =
  /** Hand a build or test task to a runner, or make the release of a deploy task. */
  | { do: 'schedule-task'; taskId: string }
  | {
      do: 'end-task';
      taskId: string;
      status: TaskStatus & ('success' | 'failed');
      message: string;
      notRun: boolean;
    }
  /** Take the right to act away from whoever still runs a build or test. */
  | { do: 'stop-task'; taskId: string }
  /** Move instances on and hand them to a deployer. */
  | { do: 'stage'; releaseId: string; instanceIds: string[] }
  | { do: 'switch'; releaseId: string; batch: number; instanceIds: string[] }
  | { do: 'bake'; releaseId: string; until: Millis }
  /** An undo waits so long for its earlier batches to be within reach. */
  | { do: 'hold'; releaseId: string; until: Millis }
  /** Look again whether instances that were switched are still healthy. */
  | { do: 'look'; releaseId: string; instanceIds: string[] }
  /** Take the look at an instance back; it counts as sickened where a reason is given. */
  | { do: 'end-look'; instanceId: string; sickened: string | null }
  | {
      do: 'end-instance';
      instanceId: string;
      status: InstanceStatus & ('failed' | 'cancelled');
      message: string;
    }
  /** Take the right to act away from whoever has it and end what still runs on the target. */
  | { do: 'stop-instance'; instanceId: string }
  /** The stop did not come back in time: what runs on the target is unknown. */
  | { do: 'give-up-stop'; instanceId: string }
  | { do: 'set-verdict'; instanceId: string; verdict: Verdict }
  | {
      do: 'end-release';
      releaseId: string;
      status: ReleaseStatus & ('completed' | 'failed' | 'cancelled');
      message: string;
    }
  | { do: 'set-phase'; phase: Phase & 'undoing' }
  /** Make the deploy tasks that undo what these did, in this order. */
  | { do: 'plan-undo'; undoes: PlannedUndo[] }
  /** What a running deployment waits for, shown to people; `bounded` waits end after seven days. */
  | { do: 'set-waiting'; waitingFor: string; bounded: boolean }
  | { do: 'abort' }
  | {
      do: 'end-deployment';
      status: DeploymentStatus & ('success' | 'failed' | 'rolled_back');
      message: string;
    }
  /** The deployment is done: every target has its verdict, its slots are free. A note is added to
   * the message of one that had ended before. */
  | { do: 'settle'; note: string }
  /** The end of one that never got to its plan: nothing was begun, so nothing is to be returned. */
  | { do: 'end-unplanned'; message: string };

/** How what one deploy task did is undone. */
export interface PlannedUndo {
  taskId: string;
  /** The tasks whose undo has to be over before. */
  after: string[];
  /** The instances of its release in the order in which they are returned. */
  instanceIds: string[];
  /** How many of them are switched at once, batch after batch. */
  batches: number[];
}
