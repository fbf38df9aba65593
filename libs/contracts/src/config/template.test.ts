import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fillCommand, fillTemplate, templateProblem } from './template.js';

/** What a real shell makes of a command whose template printed the value. */
const said = (template: string, version: string) =>
  execFileSync('sh', ['-c', fillCommand(template, { version }, 'restart_command')]).toString();

describe('templates', () => {
  it('know their names', () => {
    expect(templateProblem('/opt/{{application}}/{{ version }}')).toBeUndefined();
    expect(templateProblem('{{nothing}}')).toMatch(/not known/);
    expect(fillTemplate('/x/{{ version }}', { version: '$& a' }, 'k')).toBe('/x/$& a');
    expect(() => fillTemplate('{{host}}', {}, 'k')).toThrow('k: {{host}} has no value here');
    expect(fillTemplate("a {b} '{{version}}'", { version: 'v' }, 'k')).toBe("a {b} 'v'");
  });

  const values = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((v) => !v.includes('\0'));
  const hostile = fc.oneof(
    values,
    fc.constantFrom(
      "'; echo hi '",
      '$(echo hi)',
      '`echo hi`',
      '"; echo hi; "',
      '\\',
      "'",
      '-n',
      '*',
    ),
  );

  it('fill a command with one literal piece, wherever the placeholder stands', () => {
    const templates = [
      'printf %s {{version}}',
      "printf %s '{{version}}'",
      'printf %s "{{version}}"',
      `printf %s a'b'"c"{{version}}`,
    ];
    fc.assert(
      fc.property(fc.constantFrom(...templates), hostile, (template, version) => {
        fc.pre(!template.includes('a') || version !== '');
        const before = template.includes('a') ? 'abc' : '';
        expect(said(template, version)).toBe(before + version);
      }),
      { numRuns: 150 },
    );
  });

  it('refuse a special value where quoting cannot help', () => {
    for (const template of ['echo `echo {{version}}`', 'echo "$(echo {{version}})"']) {
      expect(said(template, 'v1.0')).toBe('v1.0\n');
      expect(() => said(template, '; x')).toThrow('cannot be quoted');
    }
  });
});
