/**
 * The rules of the plugin's own end.
 *
 *   rule            done                                                expected
 *   exit/shutdown   Controller.Shutdown with a live run                 OK, UNAVAILABLE or CANCELLED; gone in 5 s; no socket left;
 *                                                                       the run goes on under the next plugin
 *   exit/term       the same by SIGTERM                                 the same
 *   exit/terminal   SIGINT and SIGHUP, as a closed terminal sends them  it lives on and answers
 *   exit/clean      two runs, one ended, one live; Remove; Shutdown     no process, socket, run folder, file in TMPDIR; the log stays
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { demand, demandEqual, phaseText } from './expect.ts';
import { ended, launch, logged, readLog, recover, remove } from './steps.ts';
import type { Bench, Plugin, Rule } from './types.ts';
import { until } from './wait.ts';
import { ticking } from './work.ts';

const GONE_MS = 5000;
const CLEAN_MS = 15_000;
const SIGNAL_MS = 300;

async function demandOrderlyEnd(plugin: Plugin): Promise<void> {
  await plugin.gone(GONE_MS);
  const { address } = plugin.handshake;
  demand(!existsSync(address), 'no socket left behind', address);
}

/** Ends the plugin beside a live run, which has to go on. */
async function demandRunOutlives(bench: Bench, end: (plugin: Plugin) => Promise<void>) {
  const run = await ticking(bench, 'long');
  await end(bench.plugin);
  await demandOrderlyEnd(bench.plugin);
  const next = await bench.spawn();
  demandEqual('phase of the run afterwards', phaseText(await recover(next, run)), 'running');
  const { stdout } = await readLog(next, run);
  const line = stdout.trimEnd().split('\n').length;
  await logged(next, run, `tick ${line + 1}\n`);
}

const shutdown: Rule = {
  id: 'exit/shutdown',
  title: 'Shutdown ends the plugin within 5 s, takes its socket along and touches no run',
  needs: ['long'],
  check: (bench) => demandRunOutlives(bench, (plugin) => plugin.askToEnd()),
};

const term: Rule = {
  id: 'exit/term',
  title: 'SIGTERM ends the plugin within 5 s, takes its socket along and touches no run',
  needs: ['long'],
  check: (bench) => demandRunOutlives(bench, async (plugin) => plugin.signal('SIGTERM')),
};

const terminal: Rule = {
  id: 'exit/terminal',
  title: 'SIGINT and SIGHUP, which a terminal sends, do not end the plugin',
  async check({ plugin }) {
    for (const signal of ['SIGINT', 'SIGHUP'] as const) {
      plugin.signal(signal);
      await delay(SIGNAL_MS);
      demand(plugin.isAlive, `a plugin that lives on after ${signal}`, `its end: ${plugin.end}`);
      await plugin.calls.info({});
    }
  },
};

/** Files, sockets and folders below a folder. */
function below(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' });
}

function leftBehind(bench: Bench): readonly string[] {
  const { plugin, folders } = bench;
  const temporary = dirname(plugin.handshake.address);
  // Its own output.
  const isOther = (name: string) => name !== 'out' && name !== 'err';
  return [
    ...bench.processes().map(({ pid, command }) => `process ${pid} ${command}`),
    ...below(folders.runs).map((name) => `${folders.runs}/${name}`),
    ...below(folders.sockets).map((name) => `${folders.sockets}/${name}`),
    ...below(temporary)
      .filter(isOther)
      .map((name) => `${temporary}/${name}`),
  ];
}

const clean: Rule = {
  id: 'exit/clean',
  title: 'After Remove of its runs and Shutdown nothing is left but the logs that were to stay',
  needs: ['short', 'long'],
  async check(bench) {
    const { plugin, folders } = bench;
    const { spec: short } = await launch(plugin, bench.spec('short'));
    await ended(plugin, short);
    const long = await ticking(bench, 'long');
    await remove(plugin, short);
    await remove(plugin, long, true);
    await plugin.askToEnd();
    await demandOrderlyEnd(plugin);
    const look = () => {
      const left = leftBehind(bench);
      if (left.length === 0) return true;
      throw new Error(`left: ${left.join(', ').slice(0, 500)}`);
    };
    await until('nothing to be left', look, CLEAN_MS);
    demand(below(folders.logs).length > 0, 'the log that was to stay', 'none');
  },
};

export const exitRules: readonly Rule[] = [shutdown, term, terminal, clean];
