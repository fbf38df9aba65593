import {
  deployers,
  messageCatalogue,
  type Catalogues,
  type DeployerRow,
  type MessageDefinition,
} from '@floy/contracts';

/** The messages of the deployer whose instances are rows of a table. */
const messages = {
  'stage-row': { queue: 'table-deployer', work: 'long', subject: 'target_id' },
  'switch-row': { queue: 'table-deployer', work: 'long', subject: 'target_id' },
  'look-row': { queue: 'table-deployer', work: 'long', subject: 'target_id' },
  'stop-row': { queue: 'table-stops', work: 'long', subject: 'target_id' },
  'answer-row-question': { queue: 'table-questions', work: 'once', subject: 'question_id' },
} as const satisfies Record<string, MessageDefinition>;

/** Kinds of Floy's own are known to its types; those of this deployer only here. */
const kinds = {
  stage: 'stage-row',
  switch: 'switch-row',
  look: 'look-row',
  stop: 'stop-row',
  answer: 'answer-row-question',
} as const satisfies Record<keyof DeployerRow['messages'], keyof typeof messages>;

/** Its places are the rows that the environment names. */
const tableDeployer: DeployerRow = {
  messages: kinds as unknown as DeployerRow['messages'],
  plan: {
    shipsArtifacts: false,
    places: (environment, _application, { application }) => ({
      service: application,
      places: (environment['rows'] as string[]).map((row) => ({
        instanceId: `${application}-${row}`,
        key: `${application} ${row}`,
        place: { row: `${application}-${row}` },
        label: `row ${row}`,
      })),
    }),
    valueProblems: () => ({}),
    rollout: () => ({
      batchSize: '1',
      bakeSeconds: 0,
      maxFailures: '0',
      approval: false,
      secondPerson: false,
      runOnce: false,
      timeoutSeconds: 60,
      retryCount: 0,
    }),
    checkConnection: () => undefined,
  },
  questions: { 'service-status': { changes: false } },
};

/** Floy with one deployer more. */
export const tableCatalogues: Catalogues = {
  deployers: { ...deployers, table: tableDeployer },
  messages: { ...messageCatalogue, ...messages },
};

/** What the deployer works on, and what it did, beside Floy's own tables. */
export const tableSchema = `
  CREATE TABLE places (row text PRIMARY KEY, staged text, version text, epoch bigint NOT NULL DEFAULT 0);
  CREATE TABLE journal (
    seq bigserial PRIMARY KEY, row text NOT NULL, release text NOT NULL, what text NOT NULL, pid int NOT NULL
  );
  CREATE TABLE closed_gates (version text PRIMARY KEY);
  CREATE TABLE sick_rows (row text PRIMARY KEY);
`;
