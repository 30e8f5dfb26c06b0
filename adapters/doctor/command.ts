/** A short command of the host, such as `timedatectl show`: what it prints, or undefined when it is not there or fails. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const DEADLINE_MS = 5_000;

export async function outputOf(
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  const options = {
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
    env: { PATH, LC_ALL: 'C' },
  } as const;
  try {
    return (await promisify(execFile)(program, [...args], options)).stdout;
  } catch {
    return undefined;
  }
}

/** The caller's may lack sbin. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`;
