import type { Event } from '@floy/contracts';
import { dataText, describeEvent, type Spoken } from './describe-event.js';

/** How one part of a deployment (a build, a test, a host) is. */
export interface Row extends Spoken {
  readonly name: string;
}

/** One event in words. */
export interface Line extends Spoken {
  /** Milliseconds since the deployment's first event. */
  readonly at: number;
  readonly who: string;
}

/** What the events of a deployment have told so far. */
export interface Progress {
  readonly version: string;
  /** Time of the first event, milliseconds; undefined before it. */
  readonly began: number | undefined;
  readonly deployment: Spoken;
  /** In the order in which they were first heard of. */
  readonly rows: readonly Row[];
  /** Why instances failed, by their names. */
  readonly failures: ReadonlyMap<string, string>;
  /** What to call the subjects of events. */
  readonly names: ReadonlyMap<string, string>;
  /** Subjects that belong to the return to what ran before. */
  readonly undoing: ReadonlySet<string>;
}

/** Before the first event. */
export function noProgress(version: string): Progress {
  return {
    version,
    began: undefined,
    deployment: { text: 'pending', mood: 'waiting' },
    rows: [],
    failures: new Map(),
    names: new Map(),
    undoing: new Set(),
  };
}

/** Takes in the next event of the deployment's history. */
export function advance(before: Progress, event: Event): { progress: Progress; line: Line } {
  const { subject } = event;
  const [kind = ''] = event.type.split('.');
  const names = new Map(before.names);
  const known =
    (dataText(event, 'undo_of') && 'undo') ||
    dataText(event, 'instance_id') ||
    dataText(event, 'type');
  if (known !== '' && !names.has(subject)) names.set(subject, known);
  const undoing = new Set(before.undoing);
  const isUndo =
    dataText(event, 'undo_of') !== '' ||
    [subject, dataText(event, 'task_id'), dataText(event, 'release_id')].some((id) =>
      undoing.has(id),
    );
  if (isUndo) undoing.add(subject);

  const who = names.get(subject) ?? kind;
  const time = Date.parse(event.at);
  const began = before.began ?? time;
  const spoken = describeEvent(event, before.version, isUndo);
  const failures = new Map(before.failures);
  if (event.type === 'instance.failed') failures.set(who, dataText(event, 'message'));
  return {
    progress: {
      ...{ version: before.version, began, failures, names, undoing },
      deployment: kind === 'deployment' ? spoken : before.deployment,
      rows: hasRow(event, who) ? placed(before.rows, { name: who, ...spoken }) : before.rows,
    },
    line: { at: time - began, who, ...spoken },
  };
}

/** A verdict adds nothing to what its host was last said to do. */
function hasRow({ type }: Event, who: string): boolean {
  if (type.startsWith('task.')) return who === 'build' || who === 'test';
  return type.startsWith('instance.') && type !== 'instance.settled';
}

function placed(rows: readonly Row[], row: Row): readonly Row[] {
  if (!rows.some(({ name }) => name === row.name)) return [...rows, row];
  return rows.map((each) => (each.name === row.name ? row : each));
}
