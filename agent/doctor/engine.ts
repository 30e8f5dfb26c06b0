/** The Docker engine, asked on its socket as it is: reachable, which, and who may use it. */
import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { getOnSocket } from '../../adapters/doctor/http-on-socket.ts';
import {
  failure,
  fine,
  skipped,
  warning,
  type Check,
  type Finding,
} from '../../adapters/doctor/check.ts';
import type { AgentConfig } from '../config.ts';

/** Of the docker executor, see its own schema. */
const DEFAULT_HOST = 'unix:///var/run/docker.sock';

const infoSchema = z.looseObject({
  ServerVersion: z.string(),
  CgroupDriver: z.string().default('unknown'),
  CgroupVersion: z.string().default('1'),
  LiveRestoreEnabled: z.boolean().default(false),
});

export function dockerEngine(config: AgentConfig): Check {
  return { name: 'docker engine', look: () => look(config) };
}

async function look({ executors }: AgentConfig): Promise<Finding> {
  if (!executors.docker.enabled) return skipped('the docker executor is off');
  const host = executors.docker.config['host'];
  const socket = (typeof host === 'string' ? host : DEFAULT_HOST).replace(/^unix:\/\//, '');
  const access = await whoMay(socket);
  if (access === undefined)
    return failure(
      `there is no socket ${socket}`,
      'start Docker, set executors.docker.config.host, or turn the executor off (executors.docker.enabled: false)',
    );
  try {
    const info = infoSchema.parse(JSON.parse(await getOnSocket(socket, '/info')));
    const { ServerVersion, CgroupDriver, CgroupVersion, LiveRestoreEnabled } = info;
    const found = `version ${ServerVersion}, cgroup driver ${CgroupDriver} on version ${CgroupVersion}; ${access} may use ${socket}`;
    return LiveRestoreEnabled
      ? fine(found)
      : warning(
          `${found}; live-restore is off`,
          'a restart of the engine ends every container: set "live-restore": true in /etc/docker/daemon.json',
        );
  } catch (thrown) {
    const { message } = LimpetError.from(thrown);
    const denied = thrown instanceof Error && 'code' in thrown && thrown.code === 'EACCES';
    return denied
      ? failure(
          `${userInfo().username} may not use ${socket}: ${access} may`,
          "add the agent's user to that group (root-equivalent), and restart the agent",
        )
      : failure(`${socket} does not answer: ${message}`, 'see the log of the engine');
  }
}

/** `root and the group docker`; undefined when there is none. */
async function whoMay(socket: string): Promise<string | undefined> {
  const found = await stat(socket).catch(() => undefined);
  if (found === undefined) return undefined;
  const owner = await nameOf('/etc/passwd', found.uid);
  if ((found.mode & 0o002) !== 0) return 'everybody';
  return (found.mode & 0o020) === 0
    ? owner
    : `${owner} and the group ${await nameOf('/etc/group', found.gid)}`;
}

async function nameOf(file: string, id: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const line = text.split('\n').find((one) => one.split(':')[2] === String(id));
  return line?.split(':')[0] ?? String(id);
}
