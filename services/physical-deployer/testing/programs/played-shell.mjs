/**
 * Answers on a channel as `/bin/sh` would to the wrapper that Floy puts around each script: with its
 * marks and its end. What the script itself does comes from `play`: `takes` bytes of input, then
 * `marks`.
 */
export function playShell(channel, play = () => ({})) {
  let text = '';
  let left = 0;
  let whenTaken;
  channel.on('error', () => undefined);
  channel.on('data', (chunk) => {
    if (left > 0) {
      left -= chunk.length;
      if (left <= 0) whenTaken();
      return;
    }
    text += chunk.toString('latin1');
    // A script ends with the brace that its wrapper opened.
    const whole = /^\{\nfloy_mark\(\) \{ printf '[^']*' '([0-9a-f]+)'[^]*\n\}\n$/.exec(text);
    if (whole === null) return;
    const [script, nonce] = whole;
    text = '';
    const mark = (words) => `\x1e${nonce} ${words}\n`;
    const { marks = [], takes = 0 } = play(script);
    const end = () => {
      channel.write(marks.map(mark).join('') + mark('done 0'));
      channel.stderr.write(mark('done 0'));
    };
    channel.stderr.write(mark('start'));
    channel.write(mark('start') + (takes > 0 ? mark('send') : ''));
    if (takes === 0) return end();
    left = takes;
    whenTaken = end;
  });
}
