import { readFileSync } from 'node:fs';

const file = new URL('./greetings.json', import.meta.url);

/**
 * What the service says to whoever comes, by the hour. (The file with the texts is in the
 * repository, so the tests pass, but nobody told build.mjs to ship it: on a host this throws.)
 */
export function greeting() {
  const texts = JSON.parse(readFileSync(file, 'utf8'));
  const hour = new Date().getHours();
  const time = hour < 6 || hour >= 22 ? 'night' : hour < 10 ? 'morning' : 'day';
  return { text: texts[time], colour: '#8a3a86' };
}
