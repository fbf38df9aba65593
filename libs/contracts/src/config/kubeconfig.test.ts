import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { kubeconfigProblem } from './kubeconfig.js';

const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
const yaml = (user: string, cluster = 'server: https://k') =>
  `clusters: [{name: c, cluster: {${cluster}}}]\nusers: [{name: u, user: {${user}}}]\n`;
const config = (user: string, cluster?: string) => base64(yaml(user, cluster));
const EXEC = yaml('exec: {command: sh}');
const PLAIN = yaml('token: t');

const typical = `apiVersion: v1
kind: Config
current-context: prod
preferences: {}
clusters:
- name: prod   # the only one
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: eA==
contexts:
- {name: prod, context: {cluster: prod, user: ops, namespace: 'default'}}
users:
- name: ops
  user:
    client-certificate-data: eA==
    client-key-data: eA==
`;

describe('a kubeconfig', () => {
  it('with data inside is taken, in base64 on one or many lines, as YAML or JSON', () => {
    const json = JSON.stringify({ clusters: [], users: [{ name: 'ü', user: { token: 't' } }] });
    const wrapped = base64(typical).replace(/.{60}/g, '$&\n');
    for (const value of [
      base64(typical),
      `${wrapped}\n`,
      typical,
      base64(json),
      json,
      config('token: t'),
    ])
      expect(kubeconfigProblem(value)).toBeUndefined();
  });

  it('that nobody can make one of is stored, for the deployment to say so', () => {
    const seeds = [
      'base64_encoded_config',
      'base64_encoded_config_new',
      'base64_encoded_kubeconfig',
    ];
    const garbage = [
      '',
      '!',
      'x',
      base64('hello'),
      base64('a: &x 1\nb: *x\n'),
      base64(Buffer.alloc(64, 7)),
    ];
    for (const value of [...seeds, ...garbage]) expect(kubeconfigProblem(value)).toBeUndefined();
  });

  it.each([
    config('exec: {command: sh}'),
    config('Exec: {command: sh}'),
    config('auth-provider: {name: x}'),
    config('client-key: /etc/shadow'),
    config('tokenFile: /etc/shadow'),
    config('token: t', 'server: https://k, insecure-skip-tls-verify: true'),
    config('token: t', 'server: https://k, insecure-skip-tls-verify: "true"'),
    config('token: t', 'server: https://k, insecure-skip-tls-verify: no'),
    config('token: t', 'server: http://k'),
    config('token: t', 'server: https://k, certificate-authority: /x'),
    config('"\\u0065xec": {command: sh}'),
    EXEC,
  ])('that runs, reads or trusts too much is refused (%#)', (hostile) => {
    expect(kubeconfigProblem(hostile)).toMatch(/^kubeconfig\./);
  });

  // The last character before the padding carries two bits of nothing.
  const padded = [EXEC, `${EXEC}#`, `${EXEC}##`].map(base64).find((text) => /[^=]=$/.test(text))!;
  const spareBits = padded.replace(
    /.=$/,
    (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=`,
  );
  const swapped = Buffer.from(EXEC, 'utf16le').swap16();
  it.each<[string, string, RegExp]>([
    ['an anchor', base64(`x: &a {}\n${EXEC}`), /anchors/],
    ['an alias', base64(`x: &a {exec: {}}\n${yaml('*a : 1')}`), /anchors|aliases/],
    ['a merge key', base64(`${PLAIN}more: {<<: {exec: {}}}\n`), /merge/],
    ['a tag', base64(`${PLAIN}more: !!str x\n`), /tags/],
    ['a local tag', base64(`${PLAIN}more: !x {}\n`), /tags/],
    ['several documents', base64(`${PLAIN}---\n${EXEC}`), /several/],
    ['documents after an end', base64(`${PLAIN}...\n---\n${EXEC}`), /several/],
    ['a duplicate key', base64(`${PLAIN}users: []\n`), /twice/],
    ['a duplicate key with escapes', base64(`${PLAIN}"\\x75sers": []\n`), /twice/],
    ['a duplicate key further down', config('token: t, token: u'), /twice/],
    ['a key that is no text', base64(`${PLAIN}1: x\n`), /texts as keys/],
    ['a key that is a list', base64(`${PLAIN}? [a]\n: x\n`), /texts as keys/],
    ['a directive', base64(`%YAML 1.1\n---\n${EXEC}`), /directives/],
    ['a directive for tags', base64(`%TAG ! tag:x,1:\n---\n${EXEC}`), /directives/],
    ['a byte order mark', base64(`\ufeff${EXEC}`), /U\+FEFF/],
    ['UTF-16', base64(Buffer.from(EXEC, 'utf16le')), /U\+0000/],
    ['UTF-16 with its mark', base64(Buffer.from(`\ufeff${EXEC}`, 'utf16le')), /base64 of UTF-8/],
    ['UTF-16 in the other order', base64(swapped), /U\+0000/],
    ['NUL', base64(`${EXEC}\0`), /U\+0000/],
    ['NUL inside of a word', base64(EXEC.replace('users', 'us\0ers')), /U\+0000/],
    ['a line separator in a comment', base64(`# x\u2028${EXEC}`), /U\+2028/],
    ['a next line', base64(`# x\u0085${EXEC}`), /U\+0085/],
    [
      'bytes that are no UTF-8',
      base64(Buffer.concat([Buffer.from(`# \xff\n`, 'latin1'), Buffer.from(EXEC)])),
      /UTF-8/,
    ],
    ['broken YAML that others may read', base64(`${EXEC}\t- x\n`), /plain YAML/],
    [
      'the alphabet of URLs',
      base64(`# \u00ff\u00ff>>>???\n${EXEC}`).replaceAll('+', '-').replaceAll('/', '_'),
      /base64/,
    ],
    ['a trailing !', `${base64(EXEC)}!`, /base64/],
    ['spaces', base64(EXEC).replace(/.{8}/g, '$& '), /base64/],
    ['no padding', base64(`${EXEC}#`).replace(/=+$/, ''), /base64/],
    ['padding inside', `eA==${base64(EXEC)}`, /base64/],
    ['spare bits', spareBits, /base64/],
    ['base64 that is YAML as well', `aaaa: ${base64(EXEC)}`, /not both/],
    ['nesting without end', base64(`clusters: ${'['.repeat(50)}`), /deeper/],
  ])('that is not read alike by all, for %s, is refused', (_name, value, reason) => {
    expect(kubeconfigProblem(value)).toMatch(reason);
  });

  it('hidden from a strict parser by any change is refused wherever a lenient one reads it', () => {
    const insert = (text: string, at: number, more: string) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + more + text.slice(place);
    };
    const noise = fc.constantFrom(
      '!',
      ' ',
      '\t',
      '=',
      '-',
      '_',
      '\0',
      '\u00a0',
      '\ufeff',
      '*',
      'é',
      '%',
    );
    const changes = fc.array(fc.tuple(fc.nat(), noise), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(changes, fc.constantFrom(EXEC, `${EXEC}#`, `${EXEC}##`), (inserted, text) => {
        const value = inserted.reduce((all, [at, what]) => insert(all, at, what), base64(text));
        // The oracle: Node's decoder, which skips what it does not know.
        const read = Buffer.from(value, 'base64').toString('utf8');
        if (read.includes('users') && read.includes('exec:'))
          expect(kubeconfigProblem(value)).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });

  it.each(['[', '{', '? ', '- ', '"a": ', '! ', '&a ', ']', '\\u0041'])(
    'of 48 KB of %j neither stops the process nor takes long',
    (part) => {
      const text = `clusters:\n${part.repeat(48_000 / part.length)}`;
      const began = process.cpuUsage();
      kubeconfigProblem(base64(text));
      expect(process.cpuUsage(began).user / 1e6).toBeLessThan(2);
    },
  );
});
