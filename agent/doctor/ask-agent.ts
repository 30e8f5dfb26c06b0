/** The status of the agent that runs on a data folder, by its socket; a doctor changes nothing, so it only asks. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { getOnSocket } from '../../adapters/doctor/http-on-socket.ts';
import { agentStatusSchema } from '../../wire/agent-status.ts';
import { pluginListSchema, type PluginFact } from '../../wire/plugins.ts';

const statusSchema = agentStatusSchema.pick({
  pid: true,
  nodeId: true,
  degraded: true,
  link: true,
  executors: true,
  quarantined: true,
});
export type LiveStatus = z.infer<typeof statusSchema>;

export type LiveAgent =
  | {
      readonly state: 'answers';
      readonly status: LiveStatus;
      readonly plugins: readonly PluginFact[];
      readonly socket: string;
    }
  /** Nobody listens there. */
  | { readonly state: 'away'; readonly socket: string | undefined }
  /** There is one that cannot be asked, for this reason. */
  | {
      readonly state: 'silent';
      readonly socket: string;
      readonly reason: string;
      readonly denied: boolean;
    };

const fileSchema = z.object({ socket: z.string() });

export async function askLiveAgent(dataDir: string): Promise<LiveAgent> {
  const socket = await socketOf(dataDir);
  try {
    const status = statusSchema.parse(JSON.parse(await getOnSocket(socket, '/status')));
    const { plugins } = pluginListSchema.parse(JSON.parse(await getOnSocket(socket, '/plugins')));
    return { state: 'answers', status, plugins, socket };
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return { state: 'away', socket };
    const reason = LimpetError.from(thrown).message;
    return { state: 'silent', socket, reason, denied: code === 'EACCES' || code === 'EPERM' };
  }
}

async function socketOf(dataDir: string): Promise<string> {
  const text = await readFile(join(dataDir, 'agent.json'), 'utf8').catch(() => '');
  try {
    return fileSchema.parse(JSON.parse(text)).socket;
  } catch {
    return join(dataDir, 'run', 'agent.sock');
  }
}
