/** Another program's output, as it comes; it ends with this one, whoever ends that. */
import { spawn } from 'node:child_process';
import { LimpetError } from '../core/errors.ts';

const INTERRUPTED = 130;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Answers its exit code. Errors: `unavailable`. */
export function readWith(
  program: string,
  args: readonly string[],
  take: (text: string) => void,
): Promise<number> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = (): void => void child.kill();
  for (const signal of SIGNALS) process.on(signal, end);
  child.stdout.setEncoding('utf8').on('data', take);
  return new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new LimpetError('unavailable', `${program} cannot be run: ${cause.message}`, { cause }),
      ),
    );
    child.once('close', (code) => resolve(code ?? INTERRUPTED));
  }).finally(() => {
    for (const signal of SIGNALS) process.off(signal, end);
  });
}
