/**
 * Who may talk at the broker of `limpet dev`: the requester, and the agent of this folder under its own id. Passwords are
 * new at each start, and stand in files that their owner alone reads.
 */
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import {
  agentPermissions,
  REQUESTER_PERMISSIONS,
  type BrokerUser,
  type Permissions,
} from '../../wire/permissions.ts';
import { runProgramForAnswer } from '../agent-program.ts';

export interface DevUsers {
  readonly requester: BrokerUser;
  readonly agent: BrokerUser;
}

const IDENTIFY_MS = 30_000;
const answerSchema = z.object({ nodeId: z.string() });

/** The node id of the agent with this config, which gets one if need be. Errors: `unavailable`, with what it said. */
export async function nodeOfAgent(config: string, folder: string | undefined): Promise<string> {
  const place = ['--config', config, ...(folder === undefined ? [] : ['--data', folder])];
  const answer = await runProgramForAnswer('agent', [...place, '--identify'], IDENTIFY_MS);
  return answerSchema.parse(answer).nodeId;
}

export function devUsers(node: string): DevUsers {
  return {
    requester: userOf('requester', REQUESTER_PERMISSIONS),
    agent: userOf(node, agentPermissions(node)),
  };
}

function userOf(user: string, permissions: Permissions): BrokerUser {
  return { user, password: randomBytes(24).toString('base64url'), permissions };
}

/** The list of users in a config of nats-server, which takes JSON for its own. */
export function authorizationOf({ requester, agent }: DevUsers): string {
  const users = [requester, agent].map(({ user, password, permissions }) => {
    const { publish, subscribe, answerMs } = permissions;
    const answers =
      answerMs === undefined ? {} : { allow_responses: { max: 1, expires: `${answerMs}ms` } };
    const lists = { publish: { allow: publish }, subscribe: { allow: subscribe } };
    return { user, password, permissions: { ...lists, ...answers } };
  });
  return `authorization: ${JSON.stringify({ users }, undefined, 2)}`;
}

/** Replaces the file whole, whoever could read the one before. */
export function writeSecretFile(path: string, text: string): void {
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${text}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, path);
}
