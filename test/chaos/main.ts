/** `npm run chaos`: see scripts/chaos.mjs. Exit codes: 0 nothing found, 1 something found or broken, 2 usage. */
import { parseArgs } from 'node:util';
import { messageOf } from '../../core/errors.ts';
import { privateEngineSkip } from '../kit/engine.ts';
import { runChaos, type ChaosResult } from './run.ts';

const USAGE = `usage: npm run chaos -- [--seed N] [--minutes M] [--agents K] [--no-docker]
  --seed N      replays the run with this number; a random one otherwise
  --minutes M   how long jobs are submitted (1)
  --agents K    how many agents (3)
  --no-docker   without a Docker engine of its own`;

interface Flags {
  readonly seed: number;
  readonly minutes: number;
  readonly agents: number;
  readonly docker: boolean;
}

function readFlags(): Flags {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
      minutes: { type: 'string', default: '1' },
      agents: { type: 'string', default: '3' },
      'no-docker': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) throw new Error(USAGE);
  const number = (name: 'seed' | 'minutes' | 'agents', least: number): number => {
    const value = Number(values[name]);
    if (Number.isFinite(value) && value >= least) return value;
    throw new Error(`--${name} ${values[name]}: expected a number from ${least}\n${USAGE}`);
  };
  const docker = !values['no-docker'];
  return {
    seed: number('seed', 0),
    minutes: number('minutes', 0.05),
    agents: number('agents', 1),
    docker,
  };
}

async function chaos({ seed, minutes, agents, docker }: Flags): Promise<ChaosResult> {
  const undo: (() => unknown)[] = [];
  const t = { teardown: (step: () => unknown) => void undo.unshift(step) };
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const why = docker ? privateEngineSkip() : 'not wanted';
  if (why !== false) print(`no Docker jobs: ${why}`);
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new Error(`stopped by ${signal}`)));
  });
  try {
    const running = runChaos(t, {
      seed,
      agents,
      docker: why === false,
      underWay: 12,
      shares: { wasm: 6, ledger: 2, process: 1, docker: why === false ? 0.5 : 0 },
      enough: (_, elapsedMs) => elapsedMs > minutes * 60_000,
      healMs: 180_000,
      print,
    });
    return await Promise.race([running, interrupted]);
  } finally {
    for (const step of undo) await step();
  }
}

function usage(): Flags {
  try {
    return readFlags();
  } catch (thrown) {
    process.stderr.write(`${messageOf(thrown)}\n`);
    process.exit(2);
  }
}

try {
  const { findings } = await chaos(usage());
  process.exit(findings.length === 0 ? 0 : 1);
} catch (thrown) {
  process.stderr.write(`chaos: ${messageOf(thrown)}\n`);
  process.exit(1);
}
