/** `limpet dev --detach` and `--stop`. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LimpetError } from '../../core/errors.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { tildePath } from '../options.ts';
import { programPath } from '../programs.ts';
import { banner } from './banner.ts';
import { readDevFile } from './dev-file.ts';
import { isAlive, signalProcess } from './process-identity.ts';

const READY_MS = 60_000;
const STOPPED_MS = 90_000;
const POLL_MS = 50;

/** Starts `limpet dev` with these arguments in the background; resolves when it is ready. */
export async function runBackground(
  context: Context,
  data: string,
  args: readonly string[],
): Promise<void> {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const running = readDevFile(data);
  if (running !== undefined && isAlive(running.dev))
    throw new LimpetError(
      'conflict',
      `limpet dev runs already on ${tildePath(data)} (pid ${running.dev.pid}); stop it with \`limpet dev --stop\``,
    );
  const log = join(data, 'dev.log');
  const descriptor = openSync(log, 'w', 0o600);
  const child = spawn(process.execPath, [programPath('limpet'), 'dev', ...args, '--data', data], {
    detached: true,
    stdio: ['ignore', descriptor, descriptor],
  });
  closeSync(descriptor);
  child.unref();
  const end = performance.now() + READY_MS;
  for (;;) {
    const file = readDevFile(data);
    if (file?.dev.pid === child.pid && file?.ready === true) {
      const terminalData = context.env['LIMPET_DATA'] || undefined;
      print(context, banner(file, { data, detached: true, terminalData }));
      return;
    }
    if (child.exitCode !== null || child.signalCode !== null)
      throw new LimpetError('unavailable', `limpet dev ended at once: ${lastLine(log)}`);
    if (performance.now() > end)
      throw new LimpetError(
        'timeout',
        `limpet dev was not ready within ${READY_MS / 1000} s; see ${log}`,
      );
    await delay(POLL_MS);
  }
}

/** Ends the dev of this folder, wherever it runs; none is fine. */
export async function stopDev(context: Context, data: string): Promise<void> {
  const dev = readDevFile(data)?.dev;
  if (dev === undefined || !signalProcess(dev, 'SIGTERM')) {
    print(context, `no limpet dev runs on ${tildePath(data)}`);
    return;
  }
  const end = performance.now() + STOPPED_MS;
  while (isAlive(dev)) {
    if (performance.now() > end)
      throw new LimpetError(
        'timeout',
        `limpet dev (pid ${dev.pid}) has not ended within ${STOPPED_MS / 1000} s`,
      );
    await delay(POLL_MS);
  }
  print(context, `limpet dev on ${tildePath(data)} has ended`);
}

function lastLine(log: string): string {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  const error = lines.findLast((line) => line.startsWith('error: '));
  return error?.slice('error: '.length) ?? lines.at(-1) ?? `see ${log}`;
}
