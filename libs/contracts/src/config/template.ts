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

const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** The reason to refuse a template, or undefined: an unknown name, or braces that do not close. */
export function templateProblem(template: string): string | undefined {
  for (const [whole, name] of template.matchAll(placeholder)) {
    if (!(templateNames as readonly string[]).includes(name ?? '')) {
      return `${whole} is not known; there are ${templateNames.map((each) => `{{${each}}}`).join(', ')}`;
    }
  }
  return undefined;
}

/**
 * Fills a template that is not read by a shell (a path, a URL, the value of a variable).
 * Throws InvalidRequestError on a name that is unknown, VerdictError on one without a value here.
 */
export function fillTemplate(template: string, values: TemplateValues, key: string): string {
  return template.replace(placeholder, (_, name: string) => valueOf(name, values, key));
}

/**
 * Fills a template that a POSIX shell will read: what is filled in is one literal piece of a word,
 * whatever it holds, wherever the placeholder stands (bare, in '…' or in "…"). Where that cannot be
 * told (inside `…`, $(…) or a here-document) a value with a special character is refused instead.
 */
export function fillCommand(template: string, values: TemplateValues, key: string): string {
  const nested = /`|\$\(|<</.test(template);
  let filled = '';
  let end = 0;
  let quote: Quote = '';
  for (const match of template.matchAll(placeholder)) {
    const before = template.slice(end, match.index);
    quote = quoteAfter(before, quote);
    const value = valueOf(match[1] ?? '', values, key);
    if (nested && !isPlain(value)) {
      throw new VerdictError(
        `${key}: the value of ${match[0]} has characters that cannot be quoted inside \`…\`, $(…) or <<`,
        { key },
      );
    }
    filled += before + quoted(value, quote);
    end = match.index + match[0].length;
  }
  return filled + template.slice(end);
}

function valueOf(name: string, values: TemplateValues, key: string): string {
  if (!(templateNames as readonly string[]).includes(name)) {
    throw new InvalidRequestError(`${key}: {{${name}}} is not known`, { [key]: 'unknown name' });
  }
  const value = values[name as TemplateName];
  if (value === undefined) {
    const where = name === 'port' ? ': give the host a service_port' : '';
    throw new VerdictError(`${key}: {{${name}}} has no value here${where}`, { key });
  }
  return value;
}

type Quote = '' | "'" | '"';

/** Which quotes a shell is inside of after it has read `text`. */
function quoteAfter(text: string, before: Quote): Quote {
  let quote = before;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quote === "'") quote = char === "'" ? '' : quote;
    else if (char === '\\') at += 1;
    else if (quote === '"') quote = char === '"' ? '' : quote;
    else if (char === "'" || char === '"') quote = char;
  }
  return quote;
}

/** Letters and digits of any script and a few signs that no shell gives a meaning. */
function isPlain(value: string): boolean {
  return /^[\p{L}\p{N}_./:@+,=%-]+$/u.test(value);
}

function quoted(value: string, quote: Quote): string {
  if (quote === "'") return value.replaceAll("'", `'\\''`);
  if (quote === '"') return value.replace(/[\\"$`]/g, '\\$&');
  return isPlain(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
