/**
 * The order to end a run, a file in its folder: `<by> <signal number> <grace ms> <reason>`. Whoever carries it out, the
 * run's holder or any instance of the plugin, finds it there. The grace counts from when the file was first written, which
 * its modification time says. What the first order says of cause, signal and reason stays; a later one can only bring the
 * KILL nearer.
 */
import { stat, utimes } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { readIfThere } from '../../adapters/durable/if-there.ts';
import { writeDurably } from '../../adapters/durable/write-durably.ts';
import { LimpetError } from '../../core/errors.ts';
import type { StopOrder } from './types.ts';

export interface RecordedOrder {
  readonly by: 'stop' | 'limit';
  readonly signalNumber: number;
  readonly graceMs: number;
  readonly reason: string;
  /** When the first order was recorded. */
  readonly at: number;
}

/** Hands a stop order to whoever carries it out. Errors: `store-failed`. */
export async function orderStop(folder: string, order: StopOrder): Promise<void> {
  const file = join(folder, 'stop');
  const first = await readOrder(folder);
  if (first === undefined) {
    const reason = order.reason.replaceAll(/\s+/g, ' ').trim() || 'stopped';
    const signal = constants.signals[order.signal];
    return writeDurably(file, `${order.by} ${signal} ${order.graceMs} ${reason}\n`);
  }
  const graceMs = Math.max(0, Math.round(Date.now() + order.graceMs - first.at));
  if (graceMs >= first.graceMs) return;
  await writeDurably(file, `${first.by} ${first.signalNumber} ${graceMs} ${first.reason}\n`);
  await utimes(file, first.at / 1000, first.at / 1000);
}

/** undefined when there is none. Errors: `store-failed`. */
export async function readOrder(folder: string): Promise<RecordedOrder | undefined> {
  const match = /^(stop|limit) (\d+) (\d+) (.*)$/.exec(textOf(folder)?.trimEnd() ?? '');
  if (match === null) return undefined;
  const { mtimeMs } = await stat(join(folder, 'stop'));
  return {
    by: match[1] === 'limit' ? 'limit' : 'stop',
    signalNumber: Number(match[2]),
    graceMs: Number(match[3]),
    reason: match[4] ?? '',
    at: mtimeMs,
  };
}

export function isStopOrdered(folder: string): boolean {
  return textOf(folder) !== undefined;
}

function textOf(folder: string): string | undefined {
  const file = join(folder, 'stop');
  try {
    return readIfThere(file);
  } catch (thrown) {
    throw new LimpetError('store-failed', `cannot read ${file}`, { cause: thrown });
  }
}
