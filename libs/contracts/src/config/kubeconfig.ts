import { readStrictYaml, type StrictYaml, type YamlEntry } from './strict-yaml.js';

/** The longest kubeconfig that is taken, in characters: those of ten clusters and more. */
const LONGEST = 64 * 1024;

/**
 * Why a kubeconfig is refused, or undefined.
 *
 * One that can be read strictly (plain base64 or plain YAML, nothing in it that two parsers could
 * read differently) is refused where it would run a program, read files of the deployer or trust
 * anyone. One that cannot, but that a lenient parser could still make a kubeconfig of, is refused as
 * such. What nobody can make one of is no problem here: it is stored, and every deployment fails
 * naming the key.
 */
export function kubeconfigProblem(value: string): string | undefined {
  if (value.length > LONGEST) return `is longer than ${LONGEST} characters`;
  const strict = readStrictly(value);
  if ('entries' in strict) return hostileEntry(strict.entries);
  return readings(value).some(couldBeKubeconfig) ? strict.reason : undefined;
}

function readStrictly(value: string): StrictYaml {
  // Base64 has no colon, and a mapping has one.
  if (value.includes(':')) {
    const hidden = lenientlyDecoded(value).some(couldBeKubeconfig);
    return hidden ? { reason: 'must be base64 or YAML, not both' } : readStrictYaml(value);
  }
  const text = strictlyDecoded(value);
  if (text === undefined) return { reason: 'must be plain base64 of UTF-8, padded with =' };
  return readStrictYaml(text);
}

/** The text behind base64 as RFC 4648 has it, line breaks allowed, else undefined. */
function strictlyDecoded(value: string): string | undefined {
  const compact = value.replace(/[\r\n]/g, '');
  const bytes = Buffer.from(compact, 'base64');
  if (bytes.toString('base64') !== compact) return undefined;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}

/**
 * What decoders make of a value that skip what they do not know, that take the alphabet of URLs, or
 * that go on behind padding as if another text began.
 */
function lenientlyDecoded(value: string): string[] {
  const characters = value.replace(/[^A-Za-z0-9+/_-]/g, '');
  const parts = value.split('=').map((part) => Buffer.from(part, 'base64').toString('utf8'));
  const whole = [value, characters].map((text) => Buffer.from(text, 'base64').toString('utf8'));
  return [...whole, parts.join('')];
}

/** What somebody could take the value for. Without NUL and the like, UTF-16 of ASCII is ASCII. */
function readings(value: string): string[] {
  const texts = [value, ...lenientlyDecoded(value)];
  return texts.flatMap((text) => [text, text.replace(/[^\t\n\r -~]/g, '')]);
}

/** A kubeconfig cannot do without these: they name the server, and who asks it. */
const needed = ['clusters', 'users', 'contexts'];

/** Whether one of the words that it needs stands in a text, also with the escapes of YAML and JSON. */
function couldBeKubeconfig(text: string): boolean {
  const plain = folded(
    text
      .replace(/\\(?:\r\n|\r|\n)[ \t]*/g, '')
      .replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))/gi, (_all, x, u, long) =>
        character(String(x ?? u ?? long)),
      ),
  );
  return needed.some((word) => plain.includes(word));
}

function character(hex: string): string {
  const code = Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

/** As decoders of JSON compare names that take no care of case. */
function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

const programs = 'would run a program';
const file = (instead: string) => `names a file of the deployer; use ${instead}`;
const hostile: Readonly<Record<string, string>> = {
  exec: programs,
  'auth-provider': programs,
  'certificate-authority': file('certificate-authority-data'),
  'client-certificate': file('client-certificate-data'),
  'client-key': file('client-key-data'),
  tokenfile: file('token'),
  'token-file': file('token'),
};

function hostileEntry(entries: readonly YamlEntry[]): string | undefined {
  for (const { path, name, scalar } of entries) {
    const key = folded(name);
    const here = `kubeconfig.${path}`;
    const reason = Object.hasOwn(hostile, key) ? hostile[key] : undefined;
    if (reason !== undefined) return `${here} ${reason}`;
    if (key === 'insecure-skip-tls-verify' && scalar !== false) return `${here} trusts anyone`;
    if (key === 'server' && typeof scalar === 'string' && !/^https:\/\//i.test(scalar))
      return `${here} is not https`;
  }
  return undefined;
}
