/**
 * Streams that are broken off leave nothing behind: descriptors at once, memory as soon as a collector has had its turn.
 *
 * Memory is compared from round to round and not with the start: what grows in each of several rounds is a leak, what grows
 * at first and then no more is a heap that finds its size.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { demand } from './expect.ts';
import type { Bench, Plugin, Rule, Spec } from './types.ts';
import { until, within } from './wait.ts';
import { ticking } from './work.ts';

const AT_ONCE = 20;
const STREAMS_A_ROUND = 400;
const ROUNDS = 4;
const MOST_MORE_FILES = 8;
/** A round may grow by so much: 64 KiB for each of its streams. */
const MOST_MORE_BYTES = 400 * 64 * 1024;
const FIRST_MS = 15_000;

/** Breaks off after the first message, or, where none has to come, after that of the others. */
async function breakOff({ calls }: Pick<Plugin, 'calls'>, { key }: Spec): Promise<void> {
  const broken = new AbortController();
  const { signal } = broken;
  const logs = calls.logs({ executionId: key.executionId, follow: true }, { signal });
  const open = [logs, calls.fingerprint({}, { signal }), calls.events({}, { signal })];
  const [log, health, events] = open.map((stream) => stream[Symbol.asyncIterator]().next());
  const gone = events?.catch(() => undefined);
  await within('a first message of Logs and Fingerprint', FIRST_MS, Promise.all([log, health]));
  broken.abort();
  await gone;
}

/** On a connection of its own: servers close one on which a thousand streams were reset (Node's http2 does). */
async function round(plugin: Plugin, run: Spec): Promise<void> {
  const client = plugin.connect();
  for (let streams = 0; streams < STREAMS_A_ROUND; streams += AT_ONCE * 3)
    await Promise.all(Array.from({ length: AT_ONCE }, () => breakOff(client, run)));
  client.connection.close();
  await within('an answer of Info afterwards', FIRST_MS, plugin.calls.info({}));
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** VmRSS, in bytes. */
function memory(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

async function demandFilesClosed(pid: number, before: number): Promise<void> {
  const most = before + MOST_MORE_FILES;
  const look = () => {
    const now = openFiles(pid);
    if (now <= most) return true;
    throw new Error(`${now} are open`);
  };
  await until(`${most} open files at most (${before} before)`, look, FIRST_MS);
}

async function check(bench: Bench): Promise<void> {
  const { plugin } = bench;
  const run = await ticking(bench, 'long');
  await round(plugin, run);
  const files = openFiles(plugin.pid);
  const sizes = [memory(plugin.pid)];
  const grown = () => (sizes.at(-1) ?? 0) - (sizes.at(-2) ?? 0);
  do {
    await round(plugin, run);
    await demandFilesClosed(plugin.pid, files);
    sizes.push(memory(plugin.pid));
  } while (grown() > MOST_MORE_BYTES && sizes.length <= ROUNDS);
  demand(
    grown() <= MOST_MORE_BYTES,
    `memory that comes to rest, with ${STREAMS_A_ROUND} streams broken off a round`,
    sizes.map((size) => `${Math.round(size / 1024 / 1024)} MiB`).join(', '),
  );
}

export const cancelled: Rule = {
  id: 'streams/cancelled',
  title: 'Streams that are broken off leave no open file and no memory behind',
  needs: ['long'],
  seconds: 120,
  check,
};
