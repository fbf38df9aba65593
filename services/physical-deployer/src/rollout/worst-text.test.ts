import { createRedactor } from '@floy/secrets/redaction';
import { megabyteOf, slowestOf, worstTexts } from '@floy/testing/worst-text';
import { expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readStepMark } from '../commands/launch-step.js';
import { releaseDirOf, releaseIn } from '../release/release-dir.js';
import { createMarkedOutput } from '../ssh/marked-output.js';
import { checkedPath } from './host-work.js';
import { createLiveLines } from './live-lines.js';
import { quoteTail } from './quote-tail.js';

/** Milliseconds; what goes back and forth takes minutes. */
const soon = 3000;
const nonce = 'a'.repeat(32);
const redactor = createRedactor();
const key = randomBytes(1200).toString('base64');
redactor.add([key]);

it.each<[string, (text: string) => unknown]>([
  ['readStepMark', (text) => readStepMark('ended', text)],
  ['releaseIn', releaseIn],
  ['releaseDirOf', (text) => releaseDirOf(text, 'rel_1')],
  ['checkedPath', checkedPath],
  ['quoteTail', (text) => quoteTail(text)],
  ['redact', (text) => redactor.redact(text)],
])('a host that says a megabyte of its worst does not stop the deployer: %s', (_, parse) => {
  const pieces = ['-', '/', '-rel_', key.slice(0, -1)];
  expect(slowestOf(parse, worstTexts(pieces, ['', '/']))).toBeLessThan(soon);
});

it('a host that sends nothing but the beginnings of marks does not stop the deployer', () => {
  const ignore = () => undefined;
  const reader = { onData: ignore, onMark: ignore, marks: { a: 1 }, onExcess: ignore };
  const mark = `\x1e${nonce} `;
  const parse = (text: string): void => createMarkedOutput(nonce, reader)(Buffer.from(text));
  const texts = [mark, `${mark}a`, '\x1e', `\x1e${nonce}`, `${mark}\n`].map((it) => megabyteOf(it));
  expect(slowestOf(parse, texts)).toBeLessThan(soon);
});

it('a command that prints line breaks only does not stop the deployer', () => {
  const lines = createLiveLines(redactor, () => undefined);
  const parse = (text: string): void => lines.push(Buffer.from(text));
  expect(slowestOf(parse, [megabyteOf('\n'), megabyteOf('a')])).toBeLessThan(soon);
});
