import { generateKeyPairSync } from 'node:crypto';
import { accessTo } from '@floy/database/access';
import { createDeploymentManager } from '@floy/managers/deployment-manager';
import { createWorkflowManager } from '@floy/managers/workflow-manager';
import type { TestGateway } from './gateway.js';

/** An `ssh_key` that decodes, so that a deployment gets past its admission. */
export function sshKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return Buffer.from(privateKey).toString('base64');
}

/** Plays the managers beside a gateway: admits a pending deployment, and plans it if that is asked. */
export function managersOf({ database, sealer }: TestGateway) {
  const access = accessTo(database);
  const deployments = createDeploymentManager(access, sealer);
  const workflows = createWorkflowManager(access, sealer);
  return {
    admit: (id: string) => deployments.startDeployment(id),
    async plan(id: string) {
      const workflow = await workflows.createWorkflow({ id });
      await workflows.executeWorkflow(workflow.id);
    },
  };
}
