import { megabyteOf, slowestOf, worstTexts } from '@floy/testing/worst-text';
import { expect, it } from '@jest/globals';
import { digestIn, failureOf } from '../image/build-image.js';
import { authFile, imageReference } from '../image/image-words.js';
import { packageHosts } from '../package/package-address.js';
import { fetchVerdict, needsWholeFetch } from './git-verdict.js';
import { isTagName, parseCommit, parseRepository } from './repository.js';

/** Milliseconds; what goes back and forth takes minutes. */
const soon = 3000;
const repository = { url: 'https://h/a', transport: 'https' } as const;

it.each<[string, (text: string) => unknown]>([
  ['parseRepository', parseRepository],
  ['parseCommit', parseCommit],
  ['isTagName', isTagName],
  ['imageReference', (text) => imageReference(text, text, text)],
  ['authFile', (text) => authFile('registry', text)],
  ['packageHosts', packageHosts],
])('an address with a megabyte of its worst does not stop the runner: %s', (_, parse) => {
  expect(slowestOf(parse, worstTexts(['/', 'a-', '.', '['], ['', 'a/']))).toBeLessThan(soon);
});

it.each<[string, (text: string) => unknown]>([
  ['fetchVerdict', (text) => fetchVerdict(repository, text)],
  ['needsWholeFetch', needsWholeFetch],
  ['failureOf', (text) => failureOf('docker', 'registry', text)],
  ['digestIn', (text) => digestIn(text, 'registry/a@')],
])('a server that says a megabyte of its worst does not stop the runner: %s', (_, parse) => {
  const texts = ['Load key ', 'repository ', ' \n', 'remote error: want', '@'].map((piece) =>
    megabyteOf(piece),
  );
  expect(slowestOf(parse, texts)).toBeLessThan(soon);
});
