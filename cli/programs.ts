/** The programs that are built beside this one. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { LimpetError } from '../core/errors.ts';
import { AGENT_FLAGS, NODE_FLAGS } from '../core/node-flags.ts';

export type ProgramName = 'limpet' | 'agent' | 'requester' | 'dev-broker' | 'plugin-test';

export function nodeFlags(name: ProgramName): readonly string[] {
  return name === 'agent' ? AGENT_FLAGS : NODE_FLAGS;
}

/** Throws `unavailable` when it is not built. */
export function programPath(name: ProgramName): string {
  const beside = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  if (existsSync(beside)) return beside;
  const built = fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
  if (existsSync(built)) return built;
  throw new LimpetError('unavailable', `the program ${name} is not built; run \`npm run build\``);
}

/** Signals that the program gets too, when this one gets them. */
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

/**
 * Runs a program in this one's place: same terminal, same signals. Resolves with its exit code; 128 and the number of
 * the signal that ended it, as in a shell.
 */
export function runProgram(name: ProgramName, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...nodeFlags(name), programPath(name), ...args], {
    stdio: 'inherit',
  });
  const forward = (signal: NodeJS.Signals): void => {
    // A terminal sends Ctrl-C to both of us by itself.
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(
        new LimpetError('unavailable', `${name} could not be started: ${cause.message}`, { cause }),
      );
    });
    child.once('exit', (code, signal) => {
      for (const forwarded of FORWARDED) process.off(forwarded, forward);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
