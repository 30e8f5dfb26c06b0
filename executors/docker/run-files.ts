/**
 * What this executor keeps in a run's folder, each file whole or not there: the mark `launching`, `engine-lost`
 * and `given-up`.
 */
import { join } from 'node:path';
import { LimpetError, readIfThere, writeDurably } from '../../plugins/sdk/index.ts';

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
