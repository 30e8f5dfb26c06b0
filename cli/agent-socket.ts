/**
 * The agent's own API on its unix socket; where it is stands in `agent.json` of its data folder. An agent on a full disk may
 * have had no room for that file: its socket is where it is by default.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ERROR_CODES, LimpetError } from '../core/errors.ts';
import { readBody, send } from './api/http.ts';

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

function defaultSocket(folder: string): string | undefined {
  const socket = join(folder, 'run', 'agent.sock');
  return existsSync(socket) ? socket : undefined;
}

/** Throws `unavailable` when no agent answers there. */
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
  if (socketPath === undefined)
    throw new LimpetError(
      'unavailable',
      `no agent has run in ${folder}; start one with \`limpet dev\`, or name its folder with --data`,
    );
  const response = await send({
    method,
    url: new URL(`http://agent${path}`),
    socketPath,
    idleMs: ANSWER_MS,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    const { code, message } = LimpetError.from(error);
    throw new LimpetError(code, `the agent of ${folder} does not answer: ${message}`, {
      cause: error,
    });
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
