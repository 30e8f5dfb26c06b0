/** The agent's socket and the folder that it stands in. */
import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure, fine, skipped, type Check } from '../../adapters/doctor/check.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { AgentConfig } from '../config.ts';
import { runDirOf } from '../state.ts';
import type { LiveAgent } from './ask-agent.ts';

export function socketCheck(config: AgentConfig, agent: LiveAgent): Check {
  return {
    name: 'socket',
    look: async () => {
      const { state, socket } = agent;
      if (state === 'answers') return fine(`${socket} answers, pid ${agent.status.pid}`);
      if (state === 'silent' && agent.denied)
        return skipped(
          `this user may not use ${socket}`,
          'run `limpet doctor` as root, or join the group of that socket',
        );
      if (state === 'silent')
        return failure(
          `${socket} does not answer: ${agent.reason}`,
          'the agent hangs: see its log, then restart it; runs and plugins go on',
        );
      return folder(config);
    },
  };
}

async function folder(config: AgentConfig) {
  try {
    const runDir = runDirOf(config);
    const found = await lstat(runDir).catch(() => undefined);
    if (found === undefined) return fine(`no agent runs; ${runDir} will be made at its start`);
    if (!found.isDirectory())
      return failure(`${runDir} is no folder`, 'remove it, or set runDir in the config');
    const owner = (await lstat(config.dataDir).catch(() => undefined))?.uid;
    if (owner !== undefined && owner !== found.uid)
      return failure(
        `${runDir} belongs to user ${found.uid}, the data folder to user ${owner}`,
        `give both to the agent's user, or set runDir in the config`,
      );
    return fine(`no agent runs; its socket will be in ${runDir}`);
  } catch (thrown) {
    const { code } = LimpetError.from(thrown);
    const fix = code === 'invalid-config' ? 'set runDir to a short path, such as /run/limpet' : '';
    return failure(messageOf(thrown), fix === '' ? `see ${dirname(config.dataDir)}` : fix);
  }
}
