/**
 * Where things lie in the agent's data folder:
 *
 *   identity.json  store/          who this is; the LevelDB
 *   runs/<executor>/<execution>/<run>/   run folders (shared with that executor's plugin)
 *   logs/<execution>/              logs (written by plugins)
 *   inputs/<execution>/<n>         staged inputs
 *   inputs/shared/<sha256>         staged inline inputs of runs that cannot write to them
 *   results/<execution>/           published results
 *   plugins/<name>/                state, handshake and output of each plugin
 *   agent.json                     {socket, pid} of the running agent
 */
import { join } from 'node:path';
import type { ExecutionRecord } from '../../core/execution/record.ts';

export interface AgentFolders {
  readonly data: string;
  readonly store: string;
  readonly runs: string;
  readonly logs: string;
  readonly inputs: string;
  readonly results: string;
  readonly plugins: string;
}

export function agentFolders(dataDir: string): AgentFolders {
  return {
    data: dataDir,
    store: join(dataDir, 'store'),
    runs: join(dataDir, 'runs'),
    logs: join(dataDir, 'logs'),
    inputs: join(dataDir, 'inputs'),
    results: join(dataDir, 'results'),
    plugins: join(dataDir, 'plugins'),
  };
}

export function runFolder(folders: AgentFolders, record: ExecutionRecord): string {
  const { executionId, task } = record.placement;
  return join(folders.runs, task.Engine.Type, executionId, String(record.run));
}
