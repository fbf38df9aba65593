/** What the service says to whoever comes. */
export function greeting() {
  return { text: 'Hello, world. How nice that you came back!', colour: '#3c4fa8' };
}
