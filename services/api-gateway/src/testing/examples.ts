import type { TestGateway, Json } from './gateway.js';

/** The requests that the platform's specification shows, as they stand. */
export const examples = {
  version: {
    git_tag: 'v1.0.0',
    git_commit: 'abc123def456',
    repository: 'https://github.com/org/repo',
    description: 'Release version 1.0.0',
  },
  application: {
    name: 'api-service',
    repository: 'https://github.com/org/repo',
    type: 'microservice',
    config: { dockerfile: 'Dockerfile', build_args: 'arg1=value1' },
  },
  applicationChange: {
    name: 'api-service-v2',
    type: 'microservice',
    config: { dockerfile: 'Dockerfile.prod', build_args: 'arg1=value2' },
  },
  environment: {
    name: 'production',
    type: 'kubernetes',
    config: {
      cluster: 'prod-cluster',
      namespace: 'default',
      kubeconfig: 'base64_encoded_config',
    },
    is_active: true,
  },
  environmentChange: {
    name: 'production',
    type: 'kubernetes',
    config: {
      cluster: 'prod-cluster-v2',
      namespace: 'production',
      kubeconfig: 'base64_encoded_config_new',
    },
    is_active: true,
  },
  kubernetesConfig: {
    type: 'kubernetes',
    config: {
      cluster: 'prod-cluster',
      namespace: 'production',
      kubeconfig: 'base64_encoded_kubeconfig',
      deployment_strategy: 'rolling-update',
      health_check_enabled: true,
      timeout: 600,
    },
  },
  physicalConfig: {
    type: 'physical',
    config: {
      hosts: ['192.168.1.10', '192.168.1.11'],
      ssh_key: 'base64_encoded_ssh_key',
      deploy_path: '/opt/applications',
      service_name: 'api-service',
      restart_command: 'systemctl restart api-service',
    },
  },
} as const;

/** Ids of what a deployment needs. */
export interface Things {
  readonly version: string;
  readonly application: string;
  readonly application2: string;
  readonly environment: string;
}

let made = 0;

/** Makes a version, two applications and a physical environment of their own names. */
export async function makeThings(gateway: TestGateway): Promise<Things> {
  made += 1;
  const create = async (path: string, body: Json) => {
    const answer = await gateway.send('POST', path, { body });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return String(answer.body['id']);
  };
  const repository = `https://github.com/org/things-${made}`;
  const application = { ...examples.application, repository };
  const physical = { ...examples.physicalConfig, name: `hosts ${made}` };
  return {
    version: await create('/versions', { ...examples.version, repository }),
    application: await create('/applications', { ...application, name: `one ${made}` }),
    application2: await create('/applications', { ...application, name: `two ${made}` }),
    environment: await create('/environments', physical),
  };
}
