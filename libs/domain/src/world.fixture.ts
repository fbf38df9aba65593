import type { Change } from './change.js';
import { batchOf, batchSizes } from './batches.js';
import { endOpenWork } from './cancel.js';
import { fold } from './fold.js';
import { isFinal, statesBefore } from './states.js';
import type { DeploymentTree, InstanceNode, ReleaseNode, TaskNode } from './tree.js';

/** How long an instance, a stop and a person may take. Milliseconds. */
const timeoutMs = 300_000;
const stopMs = 60_000;
const personMs = 7 * 86_400_000;

/** What will happen to each part, decided before anything runs. */
export interface Fate {
  /** Tasks (build, test) that fail. */
  failingTasks: ReadonlySet<string>;
  /** Targets on which the forward release fails after it was switched. */
  failingTargets: ReadonlySet<string>;
  /** Targets that cannot be staged. */
  unstageableTargets: ReadonlySet<string>;
  /** Targets that cannot be brought back. */
  unreturnableTargets: ReadonlySet<string>;
}

export interface WorldApplication {
  id: string;
  requires: string[];
  targets: string[];
  builds: boolean;
}

/**
 * A deployment without servers: carries out changes as the database does, and ends parts in the
 * order that the test chooses.
 */
export function createWorld(
  applications: WorldApplication[],
  options: {
    batchSize: string;
    maxFailures?: number;
    autoRollback?: boolean;
    hasLastGood?: boolean;
    runOnce?: boolean;
  },
) {
  const tasks: TaskNode[] = applications.flatMap((application) => {
    const build = `${application.id} build`;
    const deploy = {
      ...emptyTask(`${application.id} deploy`, 'deploy', application.id),
      dependsOn: [
        ...(application.builds ? [build] : []),
        ...application.requires.map((id) => `${id} deploy`),
      ],
    };
    return application.builds ? [emptyTask(build, 'build', application.id), deploy] : [deploy];
  });
  const tree: DeploymentTree = {
    deployment: {
      id: 'dep',
      status: 'running',
      phase: 'forward',
      autoRollback: options.autoRollback ?? true,
      cancelled: false,
      rollbackOnCancel: true,
      pausedAt: null,
      approved: false,
      promoted: false,
      aborted: false,
      deadlineAt: null,
      waitingFor: '',
    },
    workflow: { id: 'wf', status: 'running' },
    tasks,
    releases: [],
  };
  const world = { tree, now: 0, settled: 0, switchedAtOnce: 0, history: [] as string[] };

  function targetsOf(task: TaskNode): string[] {
    if (task.undoOf === null)
      return applications.find(({ id }) => id === task.applicationId)?.targets ?? [];
    const undone = tree.releases.find(({ taskId }) => taskId === task.undoOf);
    return (undone?.instances ?? [])
      .filter((i) => i.touched && i.hasLastGood)
      .map(({ targetId }) => targetId);
  }

  function release(task: TaskNode): ReleaseNode {
    const targets = targetsOf(task);
    const batches = batchSizes(targets.length, options.batchSize);
    return {
      id: `${task.id} release`,
      taskId: task.id,
      status: 'pending',
      undo: task.undoOf !== null,
      batches,
      bakeSeconds: 0,
      maxFailures: options.maxFailures ?? 0,
      approval: false,
      runOnce: options.runOnce ?? false,
      timeoutSeconds: 300,
      bakeUntil: null,
      advancedAt: world.now,
      errorMessage: '',
      instances: targets.map((targetId, position) => ({
        id: `${task.id} ${targetId}`,
        targetId,
        batch: batchOf(position, batches),
        status: 'pending',
        touched: false,
        verdict: null,
        stopping: false,
        hasLastGood: options.hasLastGood ?? true,
        errorMessage: '',
        observed: null,
        started: false,
        deadlineAt: null,
      })),
    };
  }

  const instances = () => tree.releases.flatMap((each) => each.instances);
  const releaseOf = (part: InstanceNode) =>
    must(tree.releases.find((each) => each.instances.includes(part)));
  const instance = (id: string) => must(instances().find((each) => each.id === id));

  function apply(change: Change): void {
    world.history.push(JSON.stringify(change));
    switch (change.do) {
      case 'schedule-task': {
        const task = must(tasks.find(({ id }) => id === change.taskId));
        task.scheduled = true;
        if (task.type !== 'deploy') return;
        task.status = 'running';
        tree.releases.push(release(task));
        return;
      }
      case 'end-task':
        return move(must(tasks.find(({ id }) => id === change.taskId)), 'task', change.status);
      case 'stage':
      case 'switch':
        for (const id of change.instanceIds) {
          const begun = instance(id);
          move(begun, 'instance', change.do === 'stage' ? 'staging' : 'switching');
          Object.assign(begun, { started: true, deadlineAt: world.now + timeoutMs });
          releaseOf(begun).advancedAt = world.now;
        }
        return;
      case 'end-instance':
        return move(instance(change.instanceId), 'instance', change.status);
      case 'set-verdict':
        instance(change.instanceId).verdict = change.verdict;
        return;
      case 'end-release':
        return move(
          must(tree.releases.find(({ id }) => id === change.releaseId)),
          'release',
          change.status,
        );
      case 'set-phase':
        Object.assign(tree.deployment, { phase: change.phase, pausedAt: null, deadlineAt: null });
        return;
      case 'plan-undo':
        for (const { taskId, after } of change.undoes) {
          const undone = must(tasks.find(({ id }) => id === taskId));
          const undo = emptyTask(`undo ${taskId}`, 'deploy', undone.applicationId);
          tasks.push({ ...undo, undoOf: taskId, dependsOn: after.map((id) => `undo ${id}`) });
        }
        return;
      case 'end-deployment':
        return move(tree.deployment, 'deployment', change.status);
      case 'settle':
        if (instances().some(({ stopping }) => stopping))
          throw new Error('settled while a target is still being stopped');
        world.settled += 1;
        Object.assign(tree.deployment, { phase: 'done', pausedAt: null });
        return;
      case 'end-unplanned':
        throw new Error('this world is planned');
      case 'stop-instance':
        Object.assign(instance(change.instanceId), {
          stopping: true,
          deadlineAt: world.now + stopMs,
        });
        return;
      case 'stop-task':
        return;
      case 'give-up-stop':
        instance(change.instanceId).stopping = false;
        return;
      case 'set-waiting':
        tree.deployment.waitingFor = change.waitingFor;
        tree.deployment.deadlineAt = change.bounded ? world.now + personMs : null;
        return;
      case 'abort':
        tree.deployment.aborted = true;
        return;
      case 'bake':
        must(tree.releases.find(({ id }) => id === change.releaseId)).bakeUntil = change.until;
        return;
    }
  }

  return {
    world,
    /** Folds until nothing follows; fails the test where that never comes. */
    advance(): void {
      for (let rounds = 0; rounds < 100; rounds += 1) {
        const changes = fold(structuredClone(tree), world.now);
        if (changes.length === 0) return;
        changes.forEach(apply);
        const switching = instances().filter(({ status }) => status === 'switching').length;
        world.switchedAtOnce = Math.max(world.switchedAtOnce, switching);
      }
      throw new Error('the fold does not come to an end');
    },
    /** Steers it as a user may while it goes forward; nothing where it does not. */
    steer(steering: 'pause' | 'resume' | 'promote' | 'abort'): void {
      const { deployment } = tree;
      if (deployment.status !== 'running' || deployment.phase !== 'forward') return;
      if (steering === 'pause') deployment.pausedAt = world.now;
      if (steering === 'resume' || steering === 'abort') deployment.pausedAt = null;
      if (steering === 'promote') deployment.promoted = true;
      if (steering === 'abort') deployment.aborted = true;
    },
    /** Cancels it like the database; nothing where it has ended. */
    cancel(rollback: boolean): void {
      const { deployment } = tree;
      if (isFinal('deployment', deployment.status)) return;
      Object.assign(deployment, { cancelled: true, rollbackOnCancel: rollback });
      const keepsUndo = deployment.phase === 'undoing' && rollback;
      if (!keepsUndo) endOpenWork(structuredClone(tree), 'cancelled').forEach(apply);
      move(deployment, 'deployment', 'failed');
      if (!keepsUndo) Object.assign(deployment, { phase: 'stopping', pausedAt: null });
    },
    /** Lets so much time pass that every deadline is over. */
    wait(): void {
      world.now += personMs;
    },
    /** What is in work and could end now. */
    inWork(): string[] {
      return [
        ...tasks
          .filter((t) => t.type !== 'deploy' && t.scheduled && !isFinal('task', t.status))
          .map(({ id }) => id),
        ...instances()
          .filter((i) => i.status === 'staging' || i.status === 'switching' || i.stopping)
          .map(({ id }) => id),
      ];
    },
    /** Ends one piece of work as its fate says. */
    end(id: string, fate: Fate): void {
      const task = tasks.find((each) => each.id === id);
      if (task) return move(task, 'task', fate.failingTasks.has(id) ? 'failed' : 'success');
      const ended = instance(id);
      ended.deadlineAt = ended.stopping ? ended.deadlineAt : null;
      if (ended.stopping) {
        ended.stopping = false;
        ended.deadlineAt = null;
        ended.observed = ended.touched ? 'new' : 'other';
        return;
      }
      const undo = tree.releases.some((each) => each.undo && each.instances.includes(ended));
      if (ended.status === 'staging') {
        const fails = !undo && fate.unstageableTargets.has(ended.targetId);
        return move(ended, 'instance', fails ? 'failed' : 'staged');
      }
      ended.touched = true;
      const fails = (undo ? fate.unreturnableTargets : fate.failingTargets).has(ended.targetId);
      move(ended, 'instance', fails ? 'failed' : 'succeeded');
    },
  };
}

function emptyTask(id: string, type: 'build' | 'deploy', applicationId: string): TaskNode {
  return {
    id,
    type,
    applicationId,
    status: 'pending',
    dependsOn: [],
    undoOf: null,
    scheduled: false,
    errorMessage: '',
    deadlineAt: null,
  };
}

/** Like the database: a change that the transition table does not know is an error. */
function move<M extends 'task' | 'instance' | 'release' | 'deployment'>(
  node: { status: string },
  machine: M,
  to: Parameters<typeof statesBefore<M>>[1],
): void {
  const from: readonly string[] = statesBefore(machine, to);
  if (!from.includes(node.status))
    throw new Error(`${machine} may not go from ${node.status} to ${to}`);
  node.status = to;
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there is no such thing');
  return value;
}
