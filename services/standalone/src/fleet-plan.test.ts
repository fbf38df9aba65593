import { describe, expect, it } from '@jest/globals';
import { FLEET_SERVICES, planFleet } from './fleet-plan.js';

describe('who is started in a fleet', () => {
  it('is one of each service unless more are asked for', () => {
    expect(planFleet([]).map(({ name }) => name)).toEqual([...FLEET_SERVICES]);
    expect(
      planFleet(['physical-deployer=3', 'build-runner=0']).map(({ service, name }) =>
        service === name ? name : `${service}: ${name}`,
      ),
    ).toEqual([
      'deployment-manager',
      'workflow-manager',
      'physical-deployer',
      'physical-deployer: physical-deployer-2',
      'physical-deployer: physical-deployer-3',
      'api-gateway',
    ]);
  });

  it.each(['deployer=2', 'physical-deployer', 'physical-deployer=many', 'api-gateway=2'])(
    'refuses %s',
    (word) => {
      expect(() => planFleet([word])).toThrow(/is not like|one port/);
    },
  );
});
