// Rules of oxlint for what no import shows: who writes a status, and who writes SQL. .oxlintrc.json
// says where each holds.

const TABLES = 'deployments|workflows|tasks|releases|release_instances';
const WITH_STATUS = new RegExp(`^(${TABLES})$`);

/** An UPDATE that sets a status, which is not the same as one that only asks for it. */
const SETS_STATUS = new RegExp(
  String.raw`\bupdate\s+(only\s+)?("?\w+"?\.)?"?(${TABLES})"?\b[^;]*?\bset\b((?!\bwhere\b)[^;])*?"?\bstatus\b"?\s*=`,
  'i',
);

const STARTS_LIKE_SQL = /^\s*(select|insert|update|delete|with|lock|truncate|call|values)\b/i;
const RUNS_SQL = new Set(['row', 'rows', 'execute', 'atEnd', 'raw']);
const NAMES_TABLE = new Set(['from', 'into', 'table']);
const WRITES_COLUMNS = new Set(['update', 'merge']);

/** Only libs/database/src/transitions writes a status: by compare-and-set, never by a plain update. */
const statusInTransitions = {
  meta: {
    schema: [],
    messages: { status: 'writes a status: only libs/database/src/transitions does' },
  },
  create(context) {
    const report = (node) => context.report({ node, messageId: 'status' });
    // Elsewhere an `update` whose table is not in sight is a method of a repository.
    const hasKnex = context.filename.includes('/libs/database/');
    return {
      Literal: (node) => {
        if (typeof node.value === 'string' && SETS_STATUS.test(node.value)) report(node);
      },
      TemplateLiteral: (node) => {
        if (SETS_STATUS.test(textOf(node))) report(node);
      },
      CallExpression: (node) => {
        if (writesStatus(node, hasKnex)) report(node.callee.property);
      },
    };
  },
};

/** Services call functions of libs/database; a statement of their own is nobody's to find. */
const noStatements = {
  meta: {
    schema: [],
    messages: { statement: 'runs a statement: call a function of libs/database' },
  },
  create: (context) => ({
    CallExpression: (node) => {
      if (runsStatement(node) || buildsQuery(node)) {
        context.report({ node: node.callee, messageId: 'statement' });
      }
    },
  }),
};

/** `.update({ status })` of Knex, and what could be one, on a table whose rows have states. */
function writesStatus({ callee, arguments: [first, second] }, hasKnex) {
  if (!WRITES_COLUMNS.has(nameOf(callee)) || !first) return false;
  const table = tableOf(callee.object);
  if (table ? !WITH_STATUS.test(table) : !hasKnex) return false;
  if (first.type === 'ObjectExpression') return first.properties.some(isStatus);
  if (second && first.value === 'status') return true;
  // Columns that are not written out may hold one; a hash has an `update` too, but no table.
  return table !== undefined;
}

function isStatus(property) {
  const { key, computed, type } = property;
  return type !== 'SpreadElement' && !computed && (key.name ?? key.value) === 'status';
}

/** `tx.row(sql)`, and under any other name `` it.execute(`UPDATE …`) `` or `knex.raw(…)`. */
function runsStatement({ callee, arguments: [first] }) {
  const method = nameOf(callee);
  if (!RUNS_SQL.has(method)) return false;
  if (callee.object.name === 'tx' || isKnex(callee.object)) return true;
  return first !== undefined && STARTS_LIKE_SQL.test(textOf(first));
}

/** `knex('tasks')`, `database.knex.select(…)`; handing knex on is not building. */
function buildsQuery({ callee }) {
  return isKnex(callee) || (callee.type === 'MemberExpression' && isKnex(callee.object));
}

function isKnex(node) {
  if (node.type === 'Identifier') return node.name === 'knex';
  return nameOf(node) === 'knex' || (nameOf(node) === 'build' && node.object.name === 'tx');
}

/** The table that a chain of calls began with: `knex('tasks').where(…)`, `knex.from('tasks')`. */
function tableOf(node) {
  for (let at = node; at; at = at.callee ?? at.object) {
    const [first] = at.arguments ?? [];
    const isTable = at.callee && (isKnex(at.callee) || NAMES_TABLE.has(nameOf(at.callee)));
    if (isTable && typeof first?.value === 'string') return first.value.split(/\s+as\s+/i)[0];
  }
  return undefined;
}

function nameOf(node) {
  return node.type === 'MemberExpression' && !node.computed ? node.property.name : undefined;
}

/** What is written out of a text; what is filled in stands as `?`. */
function textOf(node) {
  if (node.type === 'TemplateLiteral') return node.quasis.map(({ value }) => value.raw).join('?');
  if (node.type === 'TaggedTemplateExpression') return textOf(node.quasi);
  if (node.type === 'BinaryExpression') return `${textOf(node.left)}${textOf(node.right)}`;
  return typeof node.value === 'string' ? node.value : '';
}

const plugin = {
  meta: { name: 'floy' },
  rules: { 'no-statements': noStatements, 'status-in-transitions': statusInTransitions },
};
export default plugin;
