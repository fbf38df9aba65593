import { InvalidRequestError, VerdictError } from '@floy/domain';

/** The names that `{{name}}` may say in a config key marked T. */
export const templateNames = [
  'git_tag',
  'git_commit',
  'version',
  'environment',
  'application',
  'service',
  'host',
  'port',
  'instance_id',
  'release_path',
  'artifact_sha256',
  'image',
] as const;
/** See {@link templateNames}. */
export type TemplateName = (typeof templateNames)[number];

/** What is known when a template is filled; a name without a value is an error there. */
export type TemplateValues = Readonly<Partial<Record<TemplateName, string>>>;

// Nothing in it may begin another placeholder: so the time it takes grows with the text alone.
const placeholder = /\{\{([^{}]*)\}\}/g;

/** A `{{name}}` of a template, and where in the text it stands. */
export interface Placeholder {
  readonly name: string;
  readonly index: number;
}

/** Every `{{name}}` of a template in its order; the name may be an unknown one. */
export function placeholdersOf(template: string): Placeholder[] {
  const found = [...template.matchAll(placeholder)];
  return found.map(({ index, 1: name = '' }) => ({ name: name.trim(), index }));
}

/** The reason to refuse a template, or undefined: an unknown name. */
export function templateProblem(template: string): string | undefined {
  const unknown = placeholdersOf(template).find(({ name }) => !isTemplateName(name));
  if (unknown === undefined) return undefined;
  const known = templateNames.map((each) => `{{${each}}}`).join(', ');
  return `{{${unknown.name}}} is not known; there are ${known}`;
}

/**
 * Fills a template that no program reads as anything but text: the value of a variable, a name.
 * Throws InvalidRequestError on a name that is unknown, VerdictError on one without a value here.
 */
export function fillTemplate(template: string, values: TemplateValues, key: string): string {
  return template.replace(placeholder, (_, name: string) => valueOf(name.trim(), values, key));
}

/**
 * Fills a URL: each value is percent-encoded and so one piece of a path or a query, whatever it
 * holds. A host is filled in as it is, since it was checked to be the name or address of one.
 * Throws VerdictError on a value that would lead to another folder (`.`, `..`).
 */
export function fillUrl(template: string, values: TemplateValues, key: string): string {
  const encoded = Object.entries(values).map(([name, value]) => {
    const leads = value === '.' || value === '..';
    if (leads && placeholdersOf(template).some((each) => each.name === name)) {
      throw new VerdictError(`${key}: {{${name}}} is "${value}", which leads elsewhere`, { key });
    }
    return [name, name === 'host' ? value : encodeURIComponent(value)];
  });
  return fillTemplate(template, Object.fromEntries(encoded) as TemplateValues, key);
}

/**
 * Fills a path on a host: each value is part of the name of one folder. Throws InvalidRequestError
 * on a value that holds a slash, and so would put one service below the folder of another.
 */
export function fillPath(template: string, values: TemplateValues, key: string): string {
  const reason = pathValueProblem(template, values);
  if (reason === undefined) return fillTemplate(template, values, key);
  throw new InvalidRequestError(`${key}: ${reason}`, { [`config.${key}`]: reason });
}

/** Why a value cannot be filled into a path, or undefined: see `fillPath`. */
export function pathValueProblem(template: string, values: TemplateValues): string | undefined {
  for (const { name } of placeholdersOf(template)) {
    const value = values[name as TemplateName];
    if (!value?.includes('/')) continue;
    return `{{${name}}} is ${JSON.stringify(value)}, and a folder's name holds no slash`;
  }
  return undefined;
}

/** The variables by which commands are given every value, whatever it holds: `FLOY_GIT_TAG` …. */
export function exportedValues(values: TemplateValues): Record<string, string> {
  const entries = Object.entries(values);
  return Object.fromEntries(entries.map(([name, value]) => [exportedName(name), value]));
}

/** The variable that holds the value of a template's name. */
export function exportedName(name: string): string {
  return `FLOY_${name.toUpperCase()}`;
}

/** Whether all that a template names has a value. */
export function isFillable(template: string, values: TemplateValues): boolean {
  return placeholdersOf(template).every(({ name }) => Object.hasOwn(values, name));
}

function isTemplateName(name: string): name is TemplateName {
  return (templateNames as readonly string[]).includes(name);
}

function valueOf(name: string, values: TemplateValues, key: string): string {
  if (!isTemplateName(name)) {
    throw new InvalidRequestError(`${key}: {{${name}}} is not known`, { [key]: 'unknown name' });
  }
  const value = values[name];
  if (value === undefined) {
    const where = name === 'port' ? ': give the host a service_port' : '';
    throw new VerdictError(`${key}: {{${name}}} has no value here${where}`, { key });
  }
  return value;
}
