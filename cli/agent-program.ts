/** The agent's program, run for one order on the folder of an agent that does not run; it answers in JSON. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LimpetError } from '../core/errors.ts';
import { programPath } from './programs.ts';

const ANSWER_BYTES = 256 * 1024 * 1024;

/** Throws `unavailable` with what the program said. */
export async function runAgentProgram(
  args: readonly string[],
  timeoutMs: number,
): Promise<unknown> {
  const command = [programPath('agent'), ...args];
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
  return said === '' ? LimpetError.from(thrown).message : said.replace(/^limpet agent: /, '');
}
