import { fillCommand, type ServiceStatus } from '@floy/contracts';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { runOnHost } from '../rollout/run-on-host.js';
import { quote } from '../ssh/quote.js';
import { serviceOn, type AskedHost } from './asked-hosts.js';

/** Asks one host how a service is, by its status command and, where there is one, systemd. */
export async function serviceStatus(
  deps: DeployerDeps,
  asked: AskedHost,
  of: { environmentId: string; applicationId: string },
  timeoutSeconds: number,
): Promise<ServiceStatus> {
  const { settings, values, service, deployPath } = await serviceOn(
    deps,
    of.environmentId,
    of.applicationId,
    asked.host,
  );
  const status = fillCommand(settings.statusCommand, values, 'status_command');
  const script = `cd ${quote(`${deployPath}/current`)} 2>/dev/null
(${status}
)
code=$?
show() { systemctl show -p "$1" --value -- ${quote(service)} 2>/dev/null; }
printf '\\nfloy-code %s\\nfloy-pid %s\\nfloy-since %s\\n' "$code" "$(show MainPID)" "$(show ActiveEnterTimestamp)"`;
  const { stdout, stderr } = await runOnHost(deps.hosts, asked.reach, script, { timeoutSeconds });
  const fact = (name: string) => new RegExp(`^floy-${name} (.*)$`, 'm').exec(stdout)?.[1] ?? '';
  const running = fact('code') === '0';
  const said = stdout.slice(0, stdout.lastIndexOf('\nfloy-code')).trim() || stderr.trim();
  return {
    host: asked.name,
    running,
    status: said || (running ? 'active' : 'inactive'),
    pid: running ? Number(fact('pid')) || 0 : 0,
    uptime: running ? fact('since') : '',
  };
}

/** The restart command of an application's service on one host. */
export async function restartCommandOn(
  deps: DeployerDeps,
  asked: AskedHost,
  of: { environmentId: string; applicationId: string },
): Promise<string> {
  const { settings, values, deployPath } = await serviceOn(
    deps,
    of.environmentId,
    of.applicationId,
    asked.host,
  );
  const restart = fillCommand(settings.restartCommand, values, 'restart_command');
  return `cd ${quote(`${deployPath}/current`)} || exit 1
if [ -f .floy-env ]; then . ./.floy-env; fi
${restart}`;
}
