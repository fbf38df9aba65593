import type { DeployerRow } from '../deployer.js';
import { checkConnection } from './connection.js';
import { placesOf } from './places.js';
import { questionKinds } from './questions.js';
import { rolloutOf } from './settings.js';
import { valueProblems } from './value-problems.js';

/** Hosts over SSH. */
export const physicalDeployer: DeployerRow = {
  messages: {
    stage: 'stage-instance',
    switch: 'switch-instance',
    stop: 'stop-target',
    look: 'look-at-target',
    answer: 'answer-question',
  },
  plan: {
    shipsArtifacts: true,
    places: placesOf,
    valueProblems,
    rollout: rolloutOf,
    checkConnection,
  },
  questions: questionKinds,
};
