import { megabyteOf, processMs, slowestOf, worstTexts } from '@floy/testing/worst-text';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  applicationConfigProblems,
  commandCheck,
  configKeys,
  decodePrivateKey,
  environmentConfigProblems,
  fillCommand,
  fillTemplate,
  fillUrl,
  gitCommitProblem,
  gitTagProblem,
  Name,
  parseHost,
  plainProblem,
  privateKeyProblem,
  repositoryKey,
  repositoryProblem,
  RequiredText,
  templateProblem,
  withoutTrailing,
} from './index.js';
import { kubeconfigProblem } from './config/kubeconfig.js';
import { valueProblems } from './deployers/physical/value-problems.js';

/** Milliseconds. A megabyte takes some ten of them; what goes back and forth takes minutes. */
const soon = 3000;
/** Matches what is below a limit. */
const below = (limit: number) => ({
  asymmetricMatch: (ms: number) => ms < limit,
  toString: () => `below ${limit} ms`,
});
const values = { git_tag: 'v1', version: 'a,b', host: 'h', application: 'a' };

describe('one request with a megabyte of its worst does not stop the process', () => {
  const braces = ['{{', '{{ ', '{{version}} {', '{ '];
  it.each<[string, (text: string) => unknown]>([
    ['templateProblem', templateProblem],
    ['fillTemplate', (text) => fillTemplate(text, values, 'k')],
    ['fillUrl', (text) => fillUrl(text, values, 'k')],
    ['fillCommand', (text) => fillCommand(text, values, 'k')],
    ['commandCheck', (text) => commandCheck(text)(values)],
  ])('a template: %s', (_, parse) => {
    expect(slowestOf(parse, worstTexts(braces))).toBeLessThan(soon);
  });

  it.each<[string, (text: string) => unknown]>([
    ['repositoryKey', repositoryKey],
    ['repositoryProblem', repositoryProblem],
    ['gitTagProblem', gitTagProblem],
    ['gitCommitProblem', gitCommitProblem],
    ['plainProblem', plainProblem],
    ['withoutTrailing', (text) => withoutTrailing(text, '/')],
  ])('an address, a tag, a commit: %s', (_, parse) => {
    const pieces = ['/', 'a.', 'a@', '.lock'];
    const begins = ['', 'ssh://git@'];
    expect(slowestOf(parse, worstTexts(pieces, begins))).toBeLessThan(soon);
  });

  it('the text of hosts', () => {
    const ignore = () => undefined;
    const texts = worstTexts(['a', 'a.', '@', ':', ']'], ['', '[']);
    expect(slowestOf((text) => parseHost(text, 'hosts', ignore), texts)).toBeLessThan(soon);
  });

  it('keys of a config, each with all of it', () => {
    const texts = ['/', '1%,', 'A=\n', ' '].map((piece) => megabyteOf(piece));
    const kinds = new Map(Object.entries(configKeys).map(([name, { kind }]) => [kind, name]));
    const slow: string[] = [];
    for (const [kind, name] of kinds) {
      const ms = slowestOf((text) => kind.read(text, name, () => undefined), texts);
      if (ms >= soon) slow.push(`${name}: ${ms} ms`);
    }
    expect(slow).toEqual([]);
  });

  it('keys of hosts and clusters', () => {
    const parts = ['A', '\r\n', '=', '\n-----END '];
    const begins = ['-----BEGIN ', '-----BEGIN RSA PRIVATE KEY-----\n'];
    for (const parse of [decodePrivateKey, privateKeyProblem]) {
      expect(slowestOf(parse, worstTexts(parts, begins))).toBeLessThan(soon);
    }
    const pieces = ['[', '{', '&a ', '!', '"', 'a: ', '- ', '? ', 'a:\n', '- a\n', '| \n', ' \n'];
    for (const piece of pieces) {
      const texts = [megabyteOf(piece, '\n').slice(0, 256 * 1024), piece.repeat(2000)];
      expect([piece, slowestOf(kubeconfigProblem, texts)]).toEqual([piece, below(soon)]);
    }
  });

  it('names and texts that a schema describes', () => {
    const check = new Ajv2020({ strict: false });
    for (const schema of [Name, RequiredText]) {
      const validate = check.compile({ ...schema, maxLength: 2 ** 30 });
      const pieces = [' ', 'a '];
      expect(slowestOf(validate, worstTexts(pieces))).toBeLessThan(soon);
    }
  });

  it('a config with as many hosts, wrong ones, or names of variables as fit', () => {
    const hosts = Array.from({ length: 10_000 }, (_, at) => ({ host: 'h', instance_id: `i${at}` }));
    const restart_command = `cat <<X\n${'{{host}}\n'.repeat(7000)}X`;
    const physical = (config: object) => environmentConfigProblems('physical', { ...config });
    const began = processMs();
    physical({ hosts });
    physical({ hosts: hosts.map(({ host }) => `-${host}`) });
    physical({ hosts: megabyteOf('-,') });
    physical({ shared_paths: megabyteOf('/,') });
    applicationConfigProblems({ env: megabyteOf('=\n'), build_args: megabyteOf('1=\n') });
    expect(processMs() - began).toBeLessThan(5 * soon);
    const names = { git_tag: 'v1', git_commit: 'a', environment: 'e', application: 'a' };
    const asked = processMs();
    valueProblems({ hosts, deploy_path: '/srv' }, { restart_command }, names);
    expect(processMs() - asked).toBeLessThan(5 * soon);
  });
});
