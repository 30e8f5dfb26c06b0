/**
 * The rules of one run's life under one plugin.
 *
 *   runs/prepare          Prepare twice                                 `done` both times, with the same digest
 *   runs/start            Start of long work                            running, a start time, marked, ours; not already_running
 *   runs/start-again      Start of a live run                           already_running, same start; one run in the log
 *   runs/start-raced      8 Starts at once                              one start time, one run in the log
 *   runs/start-other-spec the same run with another spec hash           ALREADY_EXISTS; the run as before
 *   runs/start-ended      Start of an ended run                         its end; nothing more in the log
 *   runs/second-run       run 1 of an execution after run 0             a run of its own, each with its end
 *   runs/refused          Start with params that the schema refuses     INVALID_ARGUMENT or FAILED_PRECONDITION; no run
 *   runs/list             a live and an ended run                       List and Status say the same of both
 *   runs/unknown          Status and Wait of what never was             NOT_FOUND
 *   runs/exit-code        work that ends with 0, and with 7             by exit, that code, a plausible time
 *   runs/kept             an ended run, asked again and by others       the same end until Remove; NOT_FOUND after it
 *   runs/env              a variable with every kind of letter          as it was given
 */
import { randomUUID } from 'node:crypto';
import { Phase } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { demand, demandEqual, demandStatus, endText, phaseText } from './expect.ts';
import { removeRules } from './rules-remove.ts';
import { waitRules } from './rules-wait.ts';
import { ended, launch, listed, logged, prepare, readLog, remove, start, status } from './steps.ts';
import type { Bench, Rule, SampleName } from './types.ts';
import { ticking, withRun } from './work.ts';

const RACERS = 8;
/** Clocks of this process and of what holds the run. */
const CLOCK_MS = 5000;

const prepareAgain: Rule = {
  id: 'runs/prepare',
  title: 'Prepare again ends with `done` and the same digest',
  needs: ['short'],
  shares: true,
  async check({ plugin, spec }) {
    const wanted = spec('short');
    const first = await prepare(plugin, wanted);
    demandEqual('digest', await prepare(plugin, wanted), first);
  },
};

const started: Rule = {
  id: 'runs/start',
  title: 'Start answers once the run is running, with its start time and marks',
  needs: ['long'],
  shares: true,
  async check({ plugin, spec }) {
    const began = Date.now();
    const wanted = spec('long');
    await withRun(plugin, wanted, async (run) => {
      const state = await status(plugin, run);
      demandEqual('phase', phaseText(state), 'running');
      demandEqual('spec_hash', state.specHash, wanted.specHash);
      demandEqual('marked', state.marked, true);
      demandEqual('same_boot', state.sameBoot, true);
      demandEqual('ours', state.ours, true);
      const at = Number(state.startedAtMs);
      const isNow = at >= began - CLOCK_MS && at <= Date.now() + CLOCK_MS;
      demand(isNow, `started_at_ms about ${began}`, String(at));
    });
  },
};

const startAgain: Rule = {
  id: 'runs/start-again',
  title: 'Start of a run that is there answers already_running and starts nothing',
  needs: ['long'],
  async check({ plugin, spec }) {
    const first = await launch(plugin, spec('long'));
    demandEqual('already_running of the first Start', first.alreadyRunning, false);
    const again = await start(plugin, first.spec);
    demandEqual('already_running', again.alreadyRunning, true);
    demandEqual('started_at_ms', again.state.startedAtMs, first.state.startedAtMs);
    const { stdout } = await logged(plugin, first.spec, 'tick 3\n');
    demandEqual('times that the work began:', stdout.split('tick 0\n').length - 1, 1);
  },
};

const startRaced: Rule = {
  id: 'runs/start-raced',
  title: `${RACERS} Starts of the same run at once make one run`,
  needs: ['short'],
  async check({ plugin, spec }) {
    const wanted = spec('short');
    const digest = await prepare(plugin, wanted);
    const race = Array.from({ length: RACERS }, () => start(plugin, { ...wanted, digest }));
    const answers = await Promise.all(race);
    const times = new Set(answers.map(({ state }) => state.startedAtMs));
    demandEqual('different start times:', times.size, 1);
    const firsts = answers.filter(({ alreadyRunning, state }) => {
      return !alreadyRunning && state.phase === Phase.RUNNING;
    });
    demand(firsts.length <= 1, 'one that is not already_running', String(firsts.length));
    await ended(plugin, wanted);
    const { stdout } = await readLog(plugin, wanted, { follow: true });
    demandEqual('its output:', JSON.stringify(stdout), '"out\\n"');
  },
};

const otherSpec: Rule = {
  id: 'runs/start-other-spec',
  title: 'Start of the same run with another spec hash is ALREADY_EXISTS and leaves it alone',
  needs: ['long'],
  shares: true,
  check: ({ plugin, spec }) =>
    withRun(plugin, spec('long'), async (run) => {
      const before = await status(plugin, run);
      const other = { ...run, specHash: 'conformance-2' };
      await demandStatus('Start with another hash', 'ALREADY_EXISTS', start(plugin, other));
      const after = await status(plugin, run);
      demandEqual('phase afterwards', phaseText(after), 'running');
      demandEqual('start time afterwards', after.startedAtMs, before.startedAtMs);
      demandEqual('spec_hash afterwards', after.specHash, before.specHash);
    }),
};

const startEnded: Rule = {
  id: 'runs/start-ended',
  title: 'Start of an ended run answers its end and starts nothing',
  needs: ['short'],
  shares: true,
  check: ({ plugin, spec }) =>
    withRun(plugin, spec('short'), async (run) => {
      const before = await ended(plugin, run);
      const { state, alreadyRunning } = await start(plugin, run);
      demandEqual('its state', endText(state), endText(before));
      demandEqual('started_at_ms', state.startedAtMs, before.startedAtMs);
      demandEqual('already_running', alreadyRunning, false);
      const { stdout } = await readLog(plugin, run, { follow: true });
      demandEqual('its output:', JSON.stringify(stdout), '"out\\n"');
    }),
};

const secondRun: Rule = {
  id: 'runs/second-run',
  title: 'Run 1 of an execution is a run of its own beside the ended run 0',
  needs: ['fails', 'short'],
  shares: true,
  check: ({ plugin, spec }) =>
    withRun(plugin, spec('fails'), async (zero) => {
      await ended(plugin, zero);
      const { executionId } = zero.key;
      await withRun(plugin, spec('short', { executionId, run: 1 }), async (one) => {
        demandEqual('end of run 1', endText(await ended(plugin, one)), 'exited, exit 0');
        demandEqual('end of run 0', endText(await status(plugin, zero)), 'exited, exit 7');
      });
    }),
};

const refused: Rule = {
  id: 'runs/refused',
  title: 'Start with wrong params is INVALID_ARGUMENT or FAILED_PRECONDITION and leaves no run',
  needs: ['invalid'],
  shares: true,
  async check({ plugin, spec }) {
    const wanted = spec('invalid');
    const codes = ['INVALID_ARGUMENT', 'FAILED_PRECONDITION'] as const;
    await demandStatus('Start', codes, start(plugin, wanted));
    const seen = await listed(plugin, wanted);
    demand(seen === undefined, 'no such run in List', seen === undefined ? '' : endText(seen));
  },
};

const sameInList: Rule = {
  id: 'runs/list',
  title: 'List and Status say the same of live and ended runs',
  needs: ['long', 'short'],
  async check(bench) {
    const { plugin } = bench;
    const live = await ticking(bench, 'long');
    const { spec: over } = await launch(plugin, bench.spec('short'));
    await ended(plugin, over);
    for (const run of [live, over]) {
      const [one, other] = [await status(plugin, run), await listed(plugin, run)];
      demand(other !== undefined, 'the run in List', 'no such run');
      demandEqual('state in List', endText(other), endText(one));
      demandEqual('start time in List', other.startedAtMs, one.startedAtMs);
      demandEqual('spec_hash in List', other.specHash, one.specHash);
      demandEqual('`ours` in List', other.ours, true);
    }
  },
};

const unknown: Rule = {
  id: 'runs/unknown',
  title: 'Status and Wait of a run that never was are NOT_FOUND',
  shares: true,
  async check({ plugin: { calls } }) {
    const key = { executionId: `e-${randomUUID()}`, run: 0 };
    await demandStatus('Status', 'NOT_FOUND', calls.status({ key }));
    await demandStatus('Wait', 'NOT_FOUND', calls.wait({ key, timeoutMs: 1000 }));
  },
};

const exitCode: Rule = {
  id: 'runs/exit-code',
  title: 'A run that ends tells its exit code, by exit, and when',
  needs: ['short', 'fails'],
  shares: true,
  async check(bench) {
    await demandEnd(bench, 'short', 0);
    await demandEnd(bench, 'fails', 7);
  },
};

async function demandEnd({ plugin, spec }: Bench, name: SampleName, code: number): Promise<void> {
  await withRun(plugin, spec(name), async (run) => {
    const seen = await ended(plugin, run);
    demandEqual(`end of '${name}'`, endText(seen), `exited, exit ${code}`);
    const at = Number(seen.finishedAtMs);
    const isPlausible = at >= Number(seen.startedAtMs) && at <= Date.now() + CLOCK_MS;
    demand(isPlausible, 'finished_at_ms between its start and now', String(at));
  });
}

const kept: Rule = {
  id: 'runs/kept',
  title: 'The end of a run stays readable, for every client, until Remove',
  needs: ['fails'],
  shares: true,
  async check({ plugin, spec }) {
    const { spec: run } = await launch(plugin, spec('fails'));
    const first = endText(await ended(plugin, run));
    demandEqual('its end', first, 'exited, exit 7');
    demandEqual('its end, asked again', endText(await status(plugin, run)), first);
    const other = plugin.connect();
    demandEqual('its end, asked by another', endText(await status(other, run)), first);
    other.connection.close();
    await remove(plugin, run, true);
    await demandStatus('Status after Remove', 'NOT_FOUND', status(plugin, run));
  },
};

const VALUE = `a "b" $c 'd' \\e %s #f; g & h | é`;

const env: Rule = {
  id: 'runs/env',
  title: 'A run gets its variables as they were given',
  needs: ['env'],
  shares: true,
  check: ({ plugin, spec }) =>
    withRun(plugin, spec('env', { env: { CONFORMANCE: VALUE } }), async (run) => {
      await ended(plugin, run);
      const { bytes } = await readLog(plugin, run, { follow: true });
      demandEqual('its output:', JSON.stringify(bytes.toString()), JSON.stringify(`${VALUE}\n`));
    }),
};

export const runsRules: readonly Rule[] = [
  ...[prepareAgain, started, startAgain, startRaced, otherSpec, startEnded, secondRun],
  ...[refused, sameInList, unknown, exitCode, kept, env, ...waitRules, ...removeRules],
];
