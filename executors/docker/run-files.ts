/**
 * What this executor keeps in a run's folder: the mark `launching`, the order `stop`, and `engine-lost`. Each is written to
 * a temporary name, fsynced and renamed, and then the folder is fsynced.
 */
import { constants } from 'node:os';
import { open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LimpetError } from '../../core/errors.ts';
import type { StopOrder } from '../../plugins/sdk/types.ts';

async function writeDurably(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}.tmp`);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(folder, name));
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isAbsent(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR');
}

async function readText(folder: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (thrown) {
    if (isAbsent(thrown)) return undefined;
    throw new LimpetError('store-failed', `cannot read ${join(folder, name)}`, { cause: thrown });
  }
}

/** One line: `<container id> <boot id> <engine id>`. */
export interface Mark {
  readonly containerId: string;
  readonly bootId: string;
  readonly engineId: string;
}

export async function writeMark(folder: string, mark: Mark): Promise<void> {
  await writeDurably(folder, 'launching', `${mark.containerId} ${mark.bootId} ${mark.engineId}\n`);
}

export async function readMark(folder: string): Promise<Mark | undefined> {
  const text = await readText(folder, 'launching');
  if (text === undefined) return undefined;
  const [containerId = '', bootId = '', engineId = ''] = text.trim().split(' ');
  return { containerId, bootId, engineId };
}

export interface RecordedOrder {
  readonly by: 'stop' | 'limit';
  readonly signalNumber: number;
  readonly graceMs: number;
  readonly reason: string;
  /** When the order was recorded: the grace counts from here, and a run that ended before ended by itself. */
  readonly at: number;
}

/** The first order stays: its reason wins. */
export async function recordOrder(folder: string, order: StopOrder): Promise<void> {
  if ((await readOrder(folder)) !== undefined) return;
  const reason = order.reason.replace(/\s+/g, ' ');
  const signalNumber = constants.signals[order.signal];
  await writeDurably(folder, 'stop', `${order.by} ${signalNumber} ${order.graceMs} ${reason}\n`);
}

export async function readOrder(folder: string): Promise<RecordedOrder | undefined> {
  const text = await readText(folder, 'stop');
  const match = /^(stop|limit) (\d+) (\d+) (.*)$/.exec(text?.trimEnd() ?? '');
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

/** A time without the engine while this run was running, as the plugin saw it; the latest one stays. */
export interface EngineLoss {
  readonly lostAt: number;
  /** Missing while the engine is still away. */
  readonly backAt?: number;
}

export async function recordLoss(folder: string, loss: EngineLoss): Promise<void> {
  await writeDurably(folder, 'engine-lost', `${loss.lostAt} ${loss.backAt ?? '-'}\n`);
}

export async function readLoss(folder: string): Promise<EngineLoss | undefined> {
  const match = /^(\d+) (\d+|-)\n$/.exec((await readText(folder, 'engine-lost')) ?? '');
  if (match === null) return undefined;
  const lostAt = Number(match[1]);
  return match[2] === '-' ? { lostAt } : { lostAt, backAt: Number(match[2]) };
}
