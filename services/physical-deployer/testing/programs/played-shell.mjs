/**
 * Answers on a channel as `/bin/sh` would to the wrapper that Floy puts around each script: its
 * marks, and the end. What the script itself says comes from `play`.
 */
export function playShell(channel, play = () => ({})) {
  let text = '';
  channel.on('data', (chunk) => {
    text += chunk.toString('latin1');
    for (;;) {
      // A script ends with the brace that its wrapper opened.
      const whole = /\{\nfloy_mark\(\) \{ printf '[^']*' '([0-9a-f]+)' "\$\*"; \}\n[^]*?\n\}\n/.exec(
        text,
      );
      if (whole === null) return;
      text = text.slice(whole.index + whole[0].length);
      answer(channel, whole[1], play(whole[0]));
    }
  });
  channel.on('error', () => undefined);
}

function answer(channel, nonce, { marks = [], output = '', code = 0 }) {
  const mark = (words) => `\x1e${nonce} ${words}\n`;
  channel.stderr.write(mark('start'));
  channel.write(mark('start') + marks.map(mark).join('') + output + mark(`done ${code}`));
  channel.stderr.write(mark(`done ${code}`));
}
