import { Type } from 'typebox';
import { commandTemplateProblem } from './command-template.js';
import { privateKeyProblem } from './key-material.js';
import { kubeconfigProblem } from './kubeconfig.js';
import { templateProblem } from './template.js';
import { text, variables, type ValueKind } from './value-kinds.js';
import { withoutTrailing } from '../without-trailing.js';

const controlCharacter = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** Text in which `{{name}}` is filled. */
export const template = text(
  (value) => templateProblem(value) ?? (controlCharacter.test(value) ? noControl : undefined),
);
const noControl = 'must not hold control characters';

/** A command for a POSIX shell, with templates. Several lines are fine. */
export const command = text((value) => {
  const problem = commandTemplateProblem(value);
  return problem ?? (controlCharacter.test(value) ? noControl : undefined);
});

/** An absolute path on a host, with templates; nothing in it leads upward. */
export const absolutePath = text((value) => templateProblem(value) ?? pathProblem(value));

/** Why a path on a host is refused, or undefined. Also asked again when its templates are filled. */
export function pathProblem(value: string): string | undefined {
  if (!value.startsWith('/')) return 'must be an absolute path';
  if (/[\0-\x1f\x7f]/.test(value)) return noControl;
  const parts = value.split('/').filter((part) => part !== '');
  if (parts.length === 0) return 'must not be the root of the file system';
  return parts.some((part) => part === '..' || part === '.')
    ? 'must not hold . or .. as a part'
    : undefined;
}

/** A path inside a release: relative, and nothing in it leads outside. */
export const innerPath = text((value) => {
  if (value.startsWith('/')) return 'must be relative';
  if (/[\0-\x1f\x7f]/.test(value)) return noControl;
  const parts = withoutTrailing(value, '/').split('/');
  return parts.some((part) => ['', '.', '..', '.floy'].includes(part))
    ? 'must stay inside, without empty, . or .. parts'
    : undefined;
});

/** An http or https URL, with templates. */
export const url = text((value) => {
  const problem = templateProblem(value);
  if (problem !== undefined) return problem;
  return /^https?:\/\/[^\s]+$/i.test(value) ? undefined : 'must be an http or https URL';
});

/** The path of a URL, with templates. */
export const urlPath = text((value) => {
  const problem = templateProblem(value);
  return problem ?? (/^\/[^\s]*$/.test(value) ? undefined : 'must begin with /');
});

/** An https URL, with templates. */
export const httpsUrl = text((value) => {
  const problem = templateProblem(value);
  return problem ?? (/^https:\/\/[^\s]+$/i.test(value) ? undefined : 'must be an https URL');
});

export const plainText = text((value) => (controlCharacter.test(value) ? noControl : undefined));
export const privateKey = text(privateKeyProblem);
export const kubeconfig = text(kubeconfigProblem);

/** A fingerprint as `ssh-keygen -lf` prints it. */
export const fingerprint = text((value) =>
  /^SHA256:[A-Za-z0-9+/]{43}=?$/.test(value) ? undefined : 'must be such as SHA256:… (43 signs)',
);

/** Any JSON value that is an object, kept as it is. */
export const anyObject: ValueKind<Readonly<Record<string, unknown>>> = {
  schema: Type.Object({}),
  read(value, path, report) {
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : void report(path, 'must be an object');
  },
};

/** Variables in whose values templates are filled. */
export const templatedVariables: ValueKind<Readonly<Record<string, string>>> = {
  schema: variables.schema,
  read(value, path, report) {
    const read = variables.read(value, path, report);
    let sound = read !== undefined;
    for (const [name, each] of Object.entries(read ?? {})) {
      const problem = templateProblem(each);
      if (problem === undefined) continue;
      sound = false;
      report(`${path}.${name}`, problem);
    }
    return sound ? read : undefined;
  },
};
