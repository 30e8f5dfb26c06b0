/**
 * The crash matrix, generated from the list of points. A case is one point, which its owner (the first word of its name)
 * reaches for the n-th time, and who is killed at that moment:
 *
 *   owner      victim agent              victim plugin             victim both
 *   agent      kills itself there        stands still there, the   stands still there, both are killed
 *                                        plugin is killed, it goes on
 *   plugin     stands still there, the   kills itself there        stands still there, both are killed
 *              agent is killed, it goes on
 *   requester  stands still there; the victims are killed, then the requester itself
 *
 * Then everything that was killed is started again.
 */
import { createHash, randomInt } from 'node:crypto';
import { CRASH_POINTS, type CrashPoint } from '../../core/crash-points.ts';

export type Owner = 'agent' | 'plugin' | 'requester';
export type Victim = 'agent' | 'plugin' | 'both';

export interface CrashCase {
  readonly point: CrashPoint;
  readonly passage: number;
  readonly victim: Victim;
  /** The exit code of the work. */
  readonly code: number;
}

const VICTIMS: readonly Victim[] = ['agent', 'plugin', 'both'];

/** Those passages of a point that one job makes for certain; the first alone unless it is here. */
const PASSAGES: readonly (readonly [prefix: string, passages: readonly number[]])[] = [
  // preparing, as it is placed -> starting -> running -> publishing -> completed -> removed
  ['agent.transition.', [1, 2, 3, 4, 5]],
  ['agent.link.after-ack', [1, 2]],
  // The start is the first turn; then come the handshake, the submission and the reports.
  ['requester.turn.', [2, 3, 4, 5]],
  ['requester.link.', [1, 2]],
];

/** LIMPET_SEED, or a new one. */
export function crashSeed(): string {
  return process.env['LIMPET_SEED'] ?? String(randomInt(1_000_000));
}

export function ownerOf(point: CrashPoint): Owner {
  const [owner] = point.split('.');
  if (owner === 'agent' || owner === 'plugin' || owner === 'requester') return owner;
  throw new Error(`${point}: no process of this name; expected agent, plugin or requester`);
}

/** It is passed when a plugin is upgraded under its runs. */
export function isHandover(point: CrashPoint): boolean {
  return point.startsWith('agent.plugin.handover.');
}

/** Every passage of every point with every victim. */
export function allCases(): CrashCase[] {
  return CRASH_POINTS.flatMap((point) =>
    passagesOf(point).flatMap((passage) =>
      victimsOf(point).map((victim, i) => ({ point, passage, victim, code: i === 1 ? 7 : 0 })),
    ),
  );
}

/** Every point once; the seed chooses among its cases, for each executor anew. */
export function casesBySeed(seed: string, executor: string): CrashCase[] {
  const all = allCases();
  return CRASH_POINTS.flatMap((point) => {
    const cases = all.filter((one) => one.point === point);
    const hash = createHash('sha256').update(`${seed} ${executor} ${point}`).digest();
    return cases[hash.readUInt32BE() % cases.length] ?? [];
  });
}

function passagesOf(point: CrashPoint): readonly number[] {
  return PASSAGES.find(([prefix]) => point.startsWith(prefix))?.[1] ?? [1];
}

/** Before it is spawned there is no plugin to kill. */
function victimsOf(point: CrashPoint): readonly Victim[] {
  return point === 'agent.plugin.intent-written' ? ['agent'] : VICTIMS;
}
