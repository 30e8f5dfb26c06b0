/**
 * The agent as a service: how long it is away in a restart and in an upgrade, what its runs lose by that, and how long a cold
 * start takes. On the machine of test/systemd, with the release as it is built now.
 */
import { basename, join } from 'node:path';
import { otherVersion } from '../test/integration/install-kit.ts';
import { makeRelease, unpack } from '../test/kit/release.ts';
import { AGENT, Host } from '../test/kit/systemd/host.ts';
import { bootMachine, type Machine } from '../test/kit/systemd/machine.ts';
import { SteadyWork } from '../test/kit/systemd/steady-work.ts';
import { tempDir } from '../test/kit/temp-dir.ts';
import { engineHost } from './kit/cluster.ts';
import { figure, type Figure } from './kit/figure.ts';
import { print, say } from './kit/measure.ts';

const ROUNDS = 5;
const SECOND_MS = 1000;
const WINDOW_MS = { restart: 10 * SECOND_MS, upgrade: 25 * SECOND_MS };

/** Asks the agent over and over; prints the longest time without an answer that it is ready and linked. */
const PROBE = `
const { readFileSync } = require('node:fs');
const { request } = require('node:http');
const until = performance.now() + Number(process.argv[1]);
const ask = () => new Promise((resolve) => {
  const no = () => resolve(false);
  try {
    const { socket } = JSON.parse(readFileSync('/var/lib/limpet/agent/agent.json', 'utf8'));
    request({ socketPath: socket, path: '/status', timeout: 1000 }, (answer) => {
      let text = '';
      answer.on('data', (part) => (text += part)).on('error', no).on('end', () => {
        const { readyMs, link } = JSON.parse(text);
        resolve(readyMs !== undefined && link.state === 'linked');
      });
    }).on('error', no).end();
  } catch { no(); }
});
(async () => {
  let [longest, last] = [0, performance.now()];
  while (performance.now() < until) {
    if (await ask()) {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    await new Promise((next) => setTimeout(next, 5));
  }
  console.log(Math.max(longest, performance.now() - last));
})();`;

if (engineHost !== undefined) process.env['LIMPET_TEST_DOCKER'] = engineHost;
const endings: (() => unknown)[] = [];
const teardown = { teardown: (ending: () => unknown) => endings.push(ending) };
try {
  const machine = await bootMachine(teardown);
  if (machine.skip === false) print(await figures(machine));
  else {
    say(`left out: ${machine.skip}`);
    print([]);
  }
} finally {
  for (const end of endings.reverse()) await end();
}

async function figures(machine: Machine): Promise<Figure[]> {
  const host = new Host(machine);
  const folder = tempDir(teardown);
  const archive = await makeRelease(teardown, folder);
  const first = await unpack(archive, join(folder, 'r'));
  const next = otherVersion(first, '0.1.1');
  await machine.copyIn(next, '/root');
  await host.install(archive, ['--process']);
  const work = new SteadyWork(host);
  await work.start(['wasm', 'process']);
  const away = { restart: [] as number[], upgrade: [] as number[] };
  say(`${ROUNDS} rounds of restart and upgrade`);
  for (let round = 0; round < ROUNDS; round++) {
    const release = `/root/${basename(round % 2 === 0 ? next : first)}`;
    away.restart.push(await gap(host, 'restart', ['systemctl', 'restart', AGENT]));
    away.upgrade.push(await gap(host, 'upgrade', ['limpet', 'agent', 'upgrade', release]));
  }
  const lost = await Promise.all(work.jobs.map((job) => lostLines(host, job)));
  return [
    figure('agent away in a systemctl restart', { unit: 'ms', values: away.restart }),
    figure('agent away in an upgrade', { unit: 'ms', values: away.upgrade }),
    figure(`lines lost by runs in ${ROUNDS} restarts and upgrades`, {
      unit: 'lines',
      values: lost,
    }),
    figure('service start to ready, cold', { unit: 'ms', values: await coldStarts(host) }),
  ];
}

/** The longest time without a ready agent while the command runs and has just run, ms. */
async function gap(
  host: Host,
  deed: keyof typeof WINDOW_MS,
  command: readonly string[],
): Promise<number> {
  const probe = host.machine.run(['node', '-e', PROBE, String(WINDOW_MS[deed])]);
  await host.machine.run(['sleep', '1']);
  await host.machine.run(command);
  const longest = Number(await probe);
  await host.linked();
  return longest;
}

/** Of lines that are numbered from 1: those that are missing. */
async function lostLines(host: Host, job: string): Promise<number> {
  const seen = (await host.output(job)).trim().split('\n');
  const last = Number(seen.at(-1)?.replace('line ', ''));
  return last - new Set(seen).size;
}

/** From the start of the process until it says READY=1, by systemd's clock; there are no plugins yet. */
async function coldStarts(host: Host): Promise<number[]> {
  const { machine } = host;
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await host.limpet('agent', 'stop', '--kill');
    await machine.systemctl('start', AGENT);
    const ready = Number(await machine.property(AGENT, 'ActiveEnterTimestampMonotonic'));
    const began = Number(await machine.property(AGENT, 'ExecMainStartTimestampMonotonic'));
    values.push((ready - began) / SECOND_MS);
    await host.linked();
  }
  return values;
}
