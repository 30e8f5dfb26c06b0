/** The agent's program, or the requester's, run for one order instead of as a service; it answers in JSON. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LimpetError } from '../core/errors.ts';
import { programPath } from './programs.ts';

const ANSWER_BYTES = 256 * 1024 * 1024;

export function runAgentProgram(args: readonly string[], timeoutMs: number): Promise<unknown> {
  return runProgramForAnswer('agent', args, timeoutMs);
}

/** Throws `unavailable` with what the program said. */
export async function runProgramForAnswer(
  program: 'agent' | 'requester',
  args: readonly string[],
  timeoutMs: number,
): Promise<unknown> {
  const command = [programPath(program), ...args];
  const options = { timeout: timeoutMs, maxBuffer: ANSWER_BYTES };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, command, options);
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
