/**
 * The agent's own API on its unix socket; where it is stands in `agent.json` of its data folder. An agent on a full disk may
 * have had no room for that file, and members of the socket's group may not read it: its socket is where it is by default.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ERROR_CODES, LimpetError } from '../core/errors.ts';
import { readBody, send } from './api/http.ts';
import { LAYOUT } from './install/layout.ts';

const ANSWER_MS = 5_000;

const agentFile = z.object({ socket: z.string(), pid: z.int() });
export type AgentFile = z.infer<typeof agentFile>;

/** What an agent wrote into its folder; undefined when there is nothing readable. */
export function readAgentFile(folder: string): AgentFile | undefined {
  try {
    return agentFile.parse(JSON.parse(readFileSync(join(folder, 'agent.json'), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Undefined when there is none. Whether there is one, only a member of the folder's group may see. */
function defaultSocket(folder: string): string | undefined {
  const socket = join(folder, 'run', 'agent.sock');
  try {
    statSync(socket);
    return socket;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES')
      throw new LimpetError('permission-denied', `${folder} is closed to you: ${JOIN}`);
    return undefined;
  }
}

/** Its store stays when an agent has ended in an orderly way. */
function nobodyIn(folder: string): string {
  if (!existsSync(join(folder, 'store')))
    return `no agent has run in ${folder}; start one with \`limpet dev\`, or name its folder with --data`;
  const start = folder === LAYOUT.agentData ? 'systemctl start limpet-agent' : 'limpet dev';
  return `the agent of ${folder} does not run; start it with \`${start}\``;
}

const JOIN = "add yourself to the group of the agent's socket (`limpet` by default), or use sudo";

/** Throws `unavailable` when no agent answers there, `permission-denied` when this user may not ask it. */
export async function askAgent(
  folder: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const parsed: unknown = JSON.parse(await askAgentText(folder, method, path, body));
  return parsed;
}

/** The same for an answer that is no JSON. */
export async function askAgentText(
  folder: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<string> {
  const socketPath = readAgentFile(folder)?.socket ?? defaultSocket(folder);
  if (socketPath === undefined) throw new LimpetError('unavailable', nobodyIn(folder));
  const response = await send({
    method,
    url: new URL(`http://agent${path}`),
    socketPath,
    idleMs: ANSWER_MS,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    const { code, message } = LimpetError.from(error);
    const what =
      code === 'permission-denied'
        ? `the agent of ${folder} does not let you in: ${JOIN}`
        : `the agent of ${folder} does not answer: ${message}`;
    throw new LimpetError(code, what, { cause: error });
  });
  const text = await readBody(response);
  if ((response.statusCode ?? 500) >= 400) throw refusal(response.statusCode, text);
  return text;
}

const refusalSchema = z.object({ code: z.enum(ERROR_CODES), message: z.string() });

/** The agent's own error, when its answer is one. */
function refusal(status: number | undefined, text: string): LimpetError {
  try {
    const { code, message } = refusalSchema.parse(JSON.parse(text));
    return new LimpetError(code, message);
  } catch {
    return new LimpetError('internal', `the agent answered ${status}: ${text.slice(0, 200)}`);
  }
}
