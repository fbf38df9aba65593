import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { VerdictError } from '@floy/domain';
import fc from 'fast-check';
import { commandTemplateProblem, fillCommand } from './command-template.js';
import { plainProblem } from './plain-value.js';

/** Where a deployer's tag stood when it got out: quotes, comments, and commands inside of commands. */
const hostile = [
  `# don't wait\nshow {{git_tag}}`,
  `show "C:\\{{git_tag}}"`,
  `sh -c 'show() { printf "[%s]" "$@"; }; show {{git_tag}}'`,
  `eval "show {{git_tag}}"`,
  `eval 'show "{{git_tag}}"'`,
  `show \\{{git_tag}}`,
  `show "\${x:-"b'c"{{git_tag}}}"`,
  'show `printf %s {{git_tag}}`',
  'show $(printf %s "{{git_tag}}")',
  `show '{{git_tag}}'`,
  `show "a"'b'{{git_tag}}`,
  `show {{git_tag}}`,
  `show --tag={{ git_tag }}`,
  `x={{git_tag}}; show "$x"`,
  `while read -r line; do show "$line"; done <<EOF\n{{git_tag}}\nEOF\n`,
  `while read -r line; do show "$line"; done <<-'EOF'\n\t{{git_tag}}\n\tEOF\n`,
  `case {{git_tag}} in *) show {{git_tag}} ;; esac`,
  `show {x,{{git_tag}}}`,
];

const shells = ['sh', 'dash', 'bash'].filter((shell) =>
  ['/bin', '/usr/bin'].some((folder) => existsSync(`${folder}/${shell}`)),
);

/** Signs of which values are made by chance: plain ones, and those that shells read. */
const signs = `aE1.,=-/@:+_'"$\`\\ ;\n`.split('');

/** The words that a real shell hands to the command. */
function shown(shell: string, command: string): string {
  const script = `show() { printf '[%s]' "$@"; }\n${command}`;
  const env = { PATH: '/bin:/usr/bin' };
  return execFileSync(shell, ['-c', script], { stdio: 'pipe', env }).toString();
}

/** What is shown of a harmless tag, with the other one in its place; undefined where it is refused. */
function saysSameOf(shell: string, template: string, tag: string): void {
  const fill = (git_tag: string) => fillCommand(template, { git_tag }, 'restart_command');
  const expected = shown(shell, fill('Xx')).replaceAll('Xx', tag);
  let command: string;
  try {
    command = fill(tag);
  } catch (error) {
    expect(error).toBeInstanceOf(VerdictError);
    return;
  }
  expect(shown(shell, command)).toBe(expected);
}

describe('a deployer who writes shell into a tag, a name or an address gets no second word', () => {
  const evil = [
    `v1;id>/srv/x;x`,
    `v1'`,
    'v1"',
    '$(id)',
    '`id`',
    'a b',
    'a\tb',
    'a\nid',
    '\\',
    '*',
    '?',
    '~root',
    'a|b',
    'a&b',
    'a>b',
    'a<b',
    '#x',
    '{a,b}',
    '!x',
    '-rf',
    '--help',
    '',
    'v1\u00a0b',
    'v1\u0085b',
    '版本1',
    'EOF',
    'a,b',
    '1..9',
    'IFS',
    'a=b',
    'x@y:z+1/2',
  ];

  it.each(shells)('in %s, wherever the value stands in a command', (shell) => {
    const small = fc.string({ unit: fc.constantFrom(...signs), maxLength: 6 });
    const any = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((v) => !v.includes('\0'));
    const tag = fc.oneof(fc.constantFrom(...evil), small, any);
    fc.assert(
      fc.property(fc.constantFrom(...hostile), tag, (template, value) =>
        saysSameOf(shell, template, value),
      ),
      { numRuns: 150 },
    );
    for (const template of hostile) {
      for (const value of ['EOF', 'a,b', '1..9', 'a=b']) saysSameOf(shell, template, value);
    }
  });

  it.each(evil.slice(0, -7))('%j is refused by key and value', (git_tag) => {
    expect(plainProblem(git_tag)).toEqual(expect.any(String));
    expect(() => fillCommand('show {{git_tag}}', { git_tag }, 'restart_command')).toThrow(
      `restart_command: {{git_tag}} is ${JSON.stringify(git_tag)}, which `,
    );
  });

  it('a tag that names a variable is refused in the command itself', () => {
    for (const template of ['show ${{git_tag}}', 'show ${{{git_tag}}}', 'show ${#{{git_tag}}}']) {
      expect(commandTemplateProblem(template)).toMatch('where it would name a variable');
      expect(() => fillCommand(template, { git_tag: 'IFS' }, 'k')).toThrow(VerdictError);
    }
  });

  it('a tag that is the end of the name of a variable is refused in the command itself', () => {
    for (const template of [
      'show $X{{git_tag}}',
      'show ${FLOY_{{git_tag}}}',
      'show ${X{{git_tag}}}',
    ]) {
      expect(commandTemplateProblem(template)).toMatch('where it would name a variable');
      expect(() => fillCommand(template, { git_tag: '_SECRET' }, 'k')).toThrow(VerdictError);
    }
    const kept = 'show $1{{git_tag}} ${X}{{git_tag}} ${X:-{{git_tag}}} $X/{{git_tag}}';
    expect(commandTemplateProblem(`${kept} $DESTDIR{{release_path}}`)).toBeUndefined();
  });

  it('a tag that is the end of a here-document does not make commands of what follows', () => {
    const template = 'cat >x <<EOF\n{{git_tag}}\n{{application}} is here\nEOF';
    const values = { git_tag: 'EOF', application: 'rm' };
    expect(() => fillCommand(template, values, 'k')).toThrow('one of which may end');
    expect(fillCommand(template, { ...values, git_tag: 'v1' }, 'k')).toContain('\nv1\n');
  });
});
