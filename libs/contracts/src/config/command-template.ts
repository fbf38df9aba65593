import { VerdictError } from '@floy/domain';
import { plainProblem } from './plain-value.js';
import {
  exportedName,
  fillTemplate,
  isFillable,
  placeholdersOf,
  templateProblem,
  type Placeholder,
  type TemplateName,
  type TemplateValues,
} from './template.js';

/** After these a value would not be a word, but name the variable whose words are taken. */
const beforeNames = ['$', '${', '${#', '${!'];
/** What names of variables hold; a name goes on with what is filled in behind it. */
const inName = /\w/;

/** A longer one belongs into a file of the release. Characters. */
const LONGEST = 64 * 1024;

/** The reason to refuse a command whatever its values are, or undefined. */
export function commandTemplateProblem(template: string): string | undefined {
  if (template.length > LONGEST) return `is longer than ${LONGEST} characters`;
  const naming = placeholdersOf(template).find((each) => namesVariable(template, each));
  if (naming === undefined) return templateProblem(template);
  return `{{${naming.name}}} stands after a $, where it would name a variable`;
}

/** Whether a value would be the name of a variable, or the end of one: `$X{{git_tag}}`. */
function namesVariable(template: string, { name, index }: Placeholder): boolean {
  let begin = index;
  while (begin > 0 && inName.test(template.charAt(begin - 1))) begin -= 1;
  const before = template.slice(Math.max(0, begin - 3), begin);
  const sign = beforeNames.find((each) => before.endsWith(each));
  if (sign !== '$' || begin === index) return sign !== undefined;
  // The name of `$1` is its digit alone, and a path begins with a slash.
  return !/\d/.test(template.charAt(begin)) && name !== 'release_path';
}

/**
 * Answers why values must not be filled into a command, naming the value, or undefined. Without
 * `documents` its lines are not compared, which takes the time of the whole text.
 */
export type CommandCheck = (values: TemplateValues, documents?: boolean) => string | undefined;

/**
 * Reads a command once, to check the values of many hosts. A value has to be plain, so that it is no
 * second word and no word of the shell wherever it stands: nothing is quoted, because no quoting
 * holds in every place of a command. A name without a value is passed over.
 */
export function commandCheck(template: string): CommandCheck {
  const wrong = commandTemplateProblem(template);
  if (wrong !== undefined) return () => wrong;
  const names = new Set(placeholdersOf(template).map(({ name }) => name as TemplateName));
  // Some shells make several words of `{a,b}` and `{1..3}`.
  const hasBraces = template.replaceAll('{{', '').replaceAll('${', '').includes('{');
  const hasDocuments = template.includes('<<');
  return (values, documents = true) => {
    for (const name of names) {
      const value = values[name];
      if (value === undefined) continue;
      const lists = hasBraces && (value.includes(',') || value.includes('..'));
      const problem =
        plainProblem(value) ?? (lists ? 'holds a list, in a command with braces' : undefined);
      if (problem === undefined) continue;
      return `{{${name}}} is ${JSON.stringify(value)}, which ${problem}; the command can read it from $${exportedName(name)}`;
    }
    return hasDocuments && documents ? endsDocument(template, values) : undefined;
  };
}

/**
 * Fills a command for a POSIX shell. Throws InvalidRequestError on a name that is unknown,
 * VerdictError on one without a value here and on a value that is not plain.
 */
export function fillCommand(template: string, values: TemplateValues, key: string): string {
  const problem = commandCheck(template)(values);
  if (problem !== undefined) throw new VerdictError(`${key}: ${problem}`, { key });
  return fillTemplate(template, values, key);
}

/** A line that is like the one that ends a here-document would make commands of the lines below. */
function endsDocument(template: string, values: TemplateValues): string | undefined {
  const from = new Map<string, string>();
  for (const line of template.split('\n')) {
    if (!isFillable(line, values)) continue;
    const filled = withoutTabs(fillTemplate(line, values, ''));
    const other = from.get(filled);
    if (other !== undefined && other !== line) {
      return `${JSON.stringify(filled)} stands on two lines once it is filled in, one of which may end a here-document`;
    }
    from.set(filled, line);
  }
  return undefined;
}

function withoutTabs(line: string): string {
  let begin = 0;
  while (line[begin] === '\t') begin += 1;
  return line.slice(begin);
}
