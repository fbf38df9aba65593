import { describe, expect, it } from '@jest/globals';
import { exportedValues, fillPath, fillTemplate, fillUrl, templateProblem } from './template.js';

describe('templates', () => {
  it('know their names', () => {
    expect(templateProblem('/opt/{{application}}/{{ version }}')).toBeUndefined();
    expect(templateProblem('{{nothing}}')).toMatch(/not known/);
    expect(fillTemplate('/x/{{ version }}', { version: '$& a' }, 'k')).toBe('/x/$& a');
    expect(() => fillTemplate('{{host}}', {}, 'k')).toThrow('k: {{host}} has no value here');
    expect(fillTemplate("a {b} '{{version}}'", { version: 'v' }, 'k')).toBe("a {b} 'v'");
  });

  it('make one piece of a URL of a value, which leads to no other folder', () => {
    const url = 'https://packages.example.com/{{application}}/{{version}}.tgz?at={{host}}';
    const filled = fillUrl(
      url,
      { application: 'a/../../b', version: 'v1?x=1#y', host: '::1' },
      'k',
    );
    expect(filled).toBe('https://packages.example.com/a%2F..%2F..%2Fb/v1%3Fx%3D1%23y.tgz?at=::1');
    expect(new URL(filled).pathname).toBe('/a%2F..%2F..%2Fb/v1%3Fx%3D1%23y.tgz');
    expect(() => fillUrl(url, { application: '..', version: 'v', host: 'h' }, 'k')).toThrow(
      'k: {{application}} is "..", which leads elsewhere',
    );
  });

  it('put no service below the folder of another', () => {
    expect(fillPath('/srv/{{application}}', { application: 'My App' }, 'k')).toBe('/srv/My App');
    expect(() => fillPath('/srv/{{application}}', { application: 'api/current' }, 'k')).toThrow(
      'k: {{application}} is "api/current", and a folder\'s name holds no slash',
    );
  });

  it('export each value under a name of Floy', () => {
    const values = { git_tag: "it's; v1", port: '80' };
    expect(exportedValues(values)).toEqual({ FLOY_GIT_TAG: "it's; v1", FLOY_PORT: '80' });
  });
});
