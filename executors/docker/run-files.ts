/**
 * What this executor keeps in a run's folder, each file whole or not there: the mark `launching`, the order `stop`,
 * `engine-lost` and `given-up`.
 */
import { constants } from 'node:os';
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { LimpetError, readIfThere, writeDurably, type StopOrder } from '../../plugins/sdk/index.ts';

async function readText(folder: string, name: string): Promise<string | undefined> {
  try {
    return readIfThere(join(folder, name));
  } catch (thrown) {
    throw new LimpetError('store-failed', `cannot read ${join(folder, name)}`, { cause: thrown });
  }
}

/** One line: `<container id> <boot id> <engine id>`, and the engine's process when it is known. */
export interface Mark {
  readonly containerId: string;
  readonly bootId: string;
  readonly engineId: string;
  readonly engineProcess?: string;
}

export async function writeMark(folder: string, mark: Mark): Promise<void> {
  const words = [mark.containerId, mark.bootId, mark.engineId, mark.engineProcess ?? ''];
  await writeDurably(join(folder, 'launching'), `${words.join(' ').trimEnd()}\n`);
}

export async function readMark(folder: string): Promise<Mark | undefined> {
  const text = await readText(folder, 'launching');
  if (text === undefined) return undefined;
  const [containerId = '', bootId = '', engineId = '', engineProcess] = text.trim().split(' ');
  const mark = { containerId, bootId, engineId };
  return engineProcess === undefined ? mark : { ...mark, engineProcess };
}

/** The engine that holds this run is given up: the run counts as gone wherever that engine is. */
export async function giveUp(folder: string): Promise<void> {
  await writeDurably(join(folder, 'given-up'), '');
}

export async function isGivenUp(folder: string): Promise<boolean> {
  return (await readText(folder, 'given-up')) !== undefined;
}

export interface RecordedOrder {
  readonly by: 'stop' | 'limit';
  readonly signalNumber: number;
  readonly graceMs: number;
  readonly reason: string;
  /** When the order was recorded: the grace counts from here, and a run that ended before ended by itself. */
  readonly at: number;
}

/** The first order's reason wins; a later order can only bring the KILL nearer. */
export async function recordOrder(folder: string, order: StopOrder): Promise<void> {
  const file = join(folder, 'stop');
  const first = await readOrder(folder);
  const now = Date.now();
  if (first === undefined) {
    const reason = order.reason.replaceAll(/\s+/g, ' ').trim() || 'stopped';
    const line = `${order.by} ${constants.signals[order.signal]} ${order.graceMs} ${reason}\n`;
    await writeDurably(file, line);
  } else if (now + order.graceMs < first.at + first.graceMs) {
    const graceMs = Math.max(0, Math.round(now + order.graceMs - first.at));
    await writeDurably(file, `${first.by} ${first.signalNumber} ${graceMs} ${first.reason}\n`);
    await utimes(file, first.at / 1000, first.at / 1000);
  }
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
  /** The connection broke, as it does when the engine ends; else it gave no answer in time, or none to us. */
  readonly broken: boolean;
}

export async function recordLoss(folder: string, loss: EngineLoss): Promise<void> {
  const line = `${loss.lostAt} ${loss.backAt ?? '-'}${loss.broken ? ' broken' : ''}\n`;
  await writeDurably(join(folder, 'engine-lost'), line);
}

export async function readLoss(folder: string): Promise<EngineLoss | undefined> {
  const text = (await readText(folder, 'engine-lost')) ?? '';
  const match = /^(\d+) (\d+|-)( broken)?\n$/.exec(text);
  if (match === null) return undefined;
  const loss = { lostAt: Number(match[1]), broken: match[3] !== undefined };
  return match[2] === '-' ? loss : { ...loss, backAt: Number(match[2]) };
}
