/** The agent's program, or the requester's, run for one order instead of as a service; it answers in JSON. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LimpetError } from '../core/errors.ts';
import { asOwnerOf, installedConfig } from './owner.ts';
import { programPath } from './programs.ts';

const ANSWER_BYTES = 256 * 1024 * 1024;

export interface AgentOrder {
  /** Of the agent. */
  readonly folder: string;
  readonly config: string | undefined;
  readonly order: readonly string[];
}

/** As the user whose folder it is. Throws `unavailable` with what the program said. */
export function runAgentProgram(
  { folder, config = installedConfig(folder), order }: AgentOrder,
  timeoutMs: number,
): Promise<unknown> {
  const place = [...(config === undefined ? [] : ['--config', config]), '--data', folder];
  const command = [...asOwnerOf(folder), process.execPath, programPath('agent'), ...place];
  return answerOf([...command, ...order], timeoutMs);
}

/** As whoever asks. Throws `unavailable` with what the program said. */
export function runProgramForAnswer(
  program: 'agent' | 'requester',
  args: readonly string[],
  timeoutMs: number,
): Promise<unknown> {
  return answerOf([process.execPath, programPath(program), ...args], timeoutMs);
}

async function answerOf(
  [program = '', ...args]: readonly string[],
  timeoutMs: number,
): Promise<unknown> {
  const options = { timeout: timeoutMs, maxBuffer: ANSWER_BYTES };
  try {
    const { stdout } = await promisify(execFile)(program, args, options);
    const answer: unknown = JSON.parse(stdout);
    return answer;
  } catch (thrown) {
    throw new LimpetError('unavailable', saidOf(thrown), { cause: thrown });
  }
}

function saidOf(thrown: unknown): string {
  const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr).trim() : '';
  return said === ''
    ? LimpetError.from(thrown).message
    : said.replace(/^(limpet agent|requester): /, '');
}
