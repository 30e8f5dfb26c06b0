/**
 * Runners that hold a run whose folder is gone. What a runner holds only its socket can prove; that stands in a folder of
 * this agent alone. Its claim and its socket are written down anew, so that it is found, stopped and removed as before.
 */
import { existsSync, mkdirSync, readdirSync, utimesSync } from 'node:fs';
import path from 'node:path';
import {
  readClaim,
  writeDurably,
  type ExecutorHost,
  type Observation,
  type RunKey,
} from '../../plugins/sdk/index.ts';
import { RunnerClient } from './client.ts';
import type { Held } from './protocol.ts';
import { claimText, RUN_FILE, type Identity } from './record.ts';
import { RUNNER_SOCKET } from './spawn.ts';

export interface Stray {
  readonly held: Held;
  readonly identity: Identity;
  readonly socket: string;
}

/** `known`: sockets of runners whose folder is there, or that hold nothing. */
export async function findStrays(
  host: ExecutorHost,
  known: (socket: string) => boolean,
): Promise<readonly Stray[]> {
  if (!existsSync(host.socketsDir)) return [];
  const sockets = readdirSync(host.socketsDir)
    .filter((name) => RUNNER_SOCKET.test(name))
    .map((name) => path.join(host.socketsDir, name))
    .filter((socket) => !known(socket));
  const asked = await Promise.all(sockets.map((socket) => ask(host, socket)));
  return asked.filter((one) => one !== undefined);
}

async function ask(host: ExecutorHost, socket: string): Promise<Stray | undefined> {
  const client = await RunnerClient.connect(socket).catch(() => undefined);
  if (client === undefined) return undefined;
  client.close();
  const { holds: held, identity } = client.hello;
  if (held === null || readClaim(host.runFolder(held)) !== undefined) return undefined;
  const look = host.processes.look(identity);
  return look === 'alive' || look === 'stopped' ? { held, identity, socket } : undefined;
}

export function observeStray({ held, identity }: Stray, specHash: string): Observation {
  const { executionId, run, at } = held;
  return {
    key: { executionId, run },
    ...{ ours: true, specHash, phase: 'running', marked: true, sameBoot: true },
    ...(at === undefined ? {} : { startedAt: at }),
    facts: { pid: String(identity.pid) },
  };
}

/** What the runner itself had written when it claimed the run. */
export async function writeStray(folder: string, stray: Stray): Promise<void> {
  const { identity, held, socket } = stray;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const claim = path.join(folder, RUN_FILE.claim);
  await writeDurably(claim, claimText(identity, socket));
  // Between two milliseconds, as fractions of a second are cut off.
  const at = ((held.at ?? Date.now()) + 0.5) / 1000;
  utimesSync(claim, at, at);
}

export function isSame(a: RunKey, b: RunKey): boolean {
  return a.executionId === b.executionId && a.run === b.run;
}
