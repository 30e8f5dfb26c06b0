/** The agent of this host, asked on its own socket. */
import { spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { agentStatusSchema } from '../../wire/agent-status.ts';
import { askAgent } from '../agent-socket.ts';
import type { Host } from './host.ts';
import type { Journal } from './journal.ts';
import { LAYOUT, SERVICES, type ServiceName } from './layout.ts';

const POLL_MS = 200;
const LOG_MS = 10_000;
const LOG_LINES = 12;
/** What systemd says of plugins and runs that go on, at every restart. */
const NOISE =
  /left-over process|This usually indicates unclean|remains running after unit stopped|compat systemd cgroup/;

const healthSchema = z.looseObject({ ok: z.boolean(), degraded: z.array(z.string()) });
const statusSchema = agentStatusSchema.pick({ pid: true, version: true });
const configSchema = z.looseObject({ dataDir: z.string().default(LAYOUT.agentData) });

/** Its pid; undefined when none answers. */
export async function agentPid(host: Host): Promise<number | undefined> {
  try {
    return statusSchema.parse(await askAgent(dataFolder(host), 'GET', '/status')).pid;
  } catch {
    return undefined;
  }
}

/** Waits until another process than before answers, of the version that is wanted, in good health. Errors: `timeout`. */
export async function agentIsUp(
  host: Host,
  { to, agentPid: before, timeoutMs }: Pick<Journal, 'to' | 'agentPid' | 'timeoutMs'>,
): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const reason = await whatIsAmiss(host, to, before);
    if (reason === undefined) return;
    if (performance.now() >= until)
      throw new LimpetError('timeout', `the agent: ${reason}, after ${timeoutMs / 1000} s`);
    await setTimeout(POLL_MS);
  }
}

async function whatIsAmiss(
  host: Host,
  to: string,
  before: number | undefined,
): Promise<string | undefined> {
  try {
    const folder = dataFolder(host);
    const { pid, version } = statusSchema.parse(await askAgent(folder, 'GET', '/status'));
    if (pid === before) return `process ${pid} of before still answers`;
    if (!to.startsWith(`${version}-`)) return `it says it is version ${version}`;
    const { ok, degraded } = healthSchema.parse(await askAgent(folder, 'GET', '/health'));
    return ok ? undefined : `it is not healthy: ${degraded.join('; ')}`;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

function dataFolder(host: Host): string {
  const text = host.read(LAYOUT.agentConfig) ?? '{}';
  return host.at(configSchema.parse(JSON.parse(text)).dataDir);
}

/** For people. */
export function lastLogLines(host: Host, services: readonly ServiceName[]): string[] {
  if (!host.isThisMachine) return [];
  const units = services.flatMap((service) => ['-u', SERVICES[service].unit]);
  const args = [...units, '-n', String(4 * LOG_LINES), '--no-pager', '-o', 'cat'];
  const { stdout } = spawnSync('journalctl', args, { encoding: 'utf8', timeout: LOG_MS });
  const lines = (stdout ?? '').split('\n').filter((line) => line !== '' && !NOISE.test(line));
  const last = lines.slice(-LOG_LINES);
  return last.length === 0 ? [] : ['the last of the log:', ...last.map((line) => `  ${line}`)];
}
