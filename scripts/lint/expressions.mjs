// A rule of oxlint: no regular expression takes more than linear time, whatever text it is given.
// The build for browsers is plain JavaScript in this process; the others start programs.
import recheck from 'recheck/lib/browser.js';

/** The same answer every time, and an expression that cannot be judged soon is none to keep. */
const PARAMETERS = { randomSeed: 1, timeout: 20_000, incubationLimit: 2500, attackTimeout: 100 };

const seen = new Map();

/** Why an expression is refused, or undefined. */
function expressionProblem(source, flags) {
  const key = `${flags}/${source}`;
  if (!seen.has(key)) seen.set(key, judge(source, flags));
  return seen.get(key);
}

function judge(source, flags) {
  const { status, complexity, error } = recheck.checkSync(source, flags, PARAMETERS);
  if (status === 'safe') return undefined;
  if (status === 'vulnerable') {
    const { type, degree } = complexity;
    return `takes ${type}${degree ? ` (degree ${degree})` : ''} time on some text`;
  }
  return `cannot be judged (${error?.kind ?? 'unknown'})`;
}

/** Each expression, and each pattern of a schema, is written out and takes linear time. */
const linear = {
  meta: {
    schema: [],
    messages: {
      slow: '{{problem}}: write it so that it takes linear time',
      hidden: 'is not written out, so that nobody can judge the time it takes',
    },
  },
  create(context) {
    const check = (node, source, flags) => {
      if (source === undefined || flags === undefined) {
        return context.report({ node, messageId: 'hidden' });
      }
      const problem = expressionProblem(source, flags);
      if (problem) context.report({ node, messageId: 'slow', data: { problem } });
    };
    const made = (node) => {
      if (node.callee.name !== 'RegExp') return;
      const [source, flags] = node.arguments;
      check(node, source && textOf(source), flags ? textOf(flags) : '');
    };
    return {
      Literal: (node) => {
        if (node.regex) check(node, node.regex.pattern, node.regex.flags);
      },
      NewExpression: made,
      CallExpression: made,
      // What JSON Schema calls a pattern is compiled with this flag.
      Property: (node) => {
        if ((node.key.name ?? node.key.value) !== 'pattern' || node.computed) return;
        const { type } = node.value;
        if (type === 'Literal' || type === 'TemplateLiteral') {
          check(node.value, textOf(node.value), 'u');
        }
      },
    };
  },
};

/** A text that is written out; undefined for one that is put together. */
function textOf(node) {
  if (node.type === 'TaggedTemplateExpression') {
    return node.quasi.expressions.length === 0 ? node.quasi.quasis[0].value.raw : undefined;
  }
  if (node.type === 'TemplateLiteral') {
    return node.expressions.length === 0 ? node.quasis[0].value.cooked : undefined;
  }
  return typeof node.value === 'string' ? node.value : undefined;
}

const plugin = {
  meta: { name: 'expressions' },
  rules: { linear },
};
export default plugin;
