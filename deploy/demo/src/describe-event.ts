import type { Event } from '@floy/contracts';

/** How something is, for whoever looks only at the colour. */
export type Mood = 'waiting' | 'busy' | 'good' | 'bad';

/** An event in words. */
export interface Spoken {
  readonly text: string;
  readonly mood: Mood;
}

/** A text of an event's data, or an empty one. */
export function dataText({ data }: Event, name: string): string {
  const value = data[name];
  return typeof value === 'string' ? value : '';
}

/**
 * Says an event of a deployment of `version`.
 *
 * @param isUndo it belongs to the return to what ran before
 */
export function describeEvent(event: Event, version: string, isUndo: boolean): Spoken {
  const whole = oneLine(dataText(event, 'message'));
  // What a host said is repeated by everything that failed with it.
  const message =
    event.type === 'instance.failed'
      ? whole.replace(`${dataText(event, 'instance_id')} failed: `, '')
      : shortened(whole);
  const because = message === '' ? '' : `: ${message}`;
  const what = isUndo ? 'what ran before' : version;
  switch (event.type) {
    case 'task.created':
    case 'task.scheduled':
      return { text: afterDot(event.type), mood: 'waiting' };
    case 'task.success':
      return { text: event.data['reused'] === true ? 'was built before' : 'success', mood: 'good' };
    case 'release.created':
      return { text: `${isUndo ? 'return to' : 'release of'} ${what}`, mood: 'waiting' };
    case 'release.batch_started':
      return { text: `batch ${Number(event.data['batch']) + 1}`, mood: 'busy' };
    case 'instance.staging':
      return { text: `receiving ${what}`, mood: 'busy' };
    case 'instance.staged':
      return { text: `has ${what} beside what serves`, mood: 'waiting' };
    case 'instance.switching':
      return { text: `${isUndo ? 'returning' : 'switching'} to ${what}`, mood: 'busy' };
    case 'instance.succeeded':
      return { text: `healthy on ${what}`, mood: 'good' };
    case 'instance.cancelled':
      return { text: `left as it was${because}`, mood: 'waiting' };
    case 'instance.settled':
      return { text: `verdict: ${dataText(event, 'verdict')}`, mood: 'waiting' };
    case 'deployment.undoing':
      return { text: 'undoing what it did', mood: 'bad' };
    default:
      return { text: `${afterDot(event.type)}${because}`, mood: moodOf(event.type) };
  }
}

function moodOf(type: string): Mood {
  if (/\.(failed|rolled_back|stop_failed|aborted)$/.test(type)) return 'bad';
  if (/\.(success|completed)$/.test(type)) return 'good';
  return /\.(running|in_progress)$/.test(type) ? 'busy' : 'waiting';
}

function afterDot(type: string): string {
  return type.slice(type.indexOf('.') + 1).replaceAll('_', ' ');
}

const SHORT = 100;

function shortened(text: string): string {
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text;
}

/** Without line breaks and whatever else a terminal would act on: some of it was said by hosts. */
function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}
