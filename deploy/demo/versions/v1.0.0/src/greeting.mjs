/** What the service says to whoever comes. */
export function greeting() {
  return { text: 'Hello, world.', colour: '#1f6f54' };
}
