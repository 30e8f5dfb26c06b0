/**
 * Plugins by themselves, driven as an agent drives them: how long one takes from its spawn to its handshake, how soon a new
 * client knows it again (Info and List on a new connection), how long a unary call takes, how fast the log of a run that has
 * ended is read, and what memory it has then. The examples in other languages are left out where they cannot be built.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { procProcesses } from '../adapters/processes/proc.ts';
import { importBusybox } from '../fixtures/image/busybox.mjs';
import { ended, launch, readLog, remove } from '../plugins/conformance/steps.ts';
import { SuiteBench } from '../plugins/conformance/suite-bench.ts';
import type { Params } from '../plugins/conformance/types.ts';
import { engineHost } from './kit/cluster.ts';
import { figure, type Figure } from './kit/figure.ts';
import { print, say } from './kit/measure.ts';
import { megabytes } from './kit/processes.ts';
import { IMAGE } from './kit/raw-container.ts';

const SPAWNS = 5;
const REATTACHES = 20;
const CALLS = 1000;
const READS = 5;
const LINES = 200_000;
const LINE_BYTES = 60;
/** Until a run has printed all of it and its plugin has taken it. */
const PRINTED_MS = 60_000;

interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly config?: Params;
  /** Prints LINES lines of LINE_BYTES. */
  readonly prints: Params;
  readonly mounts?: { source: string; target: string; readOnly: boolean }[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lb-'));
const script = `yes ${'x'.repeat(LINE_BYTES - 1)} | head -n ${LINES}`;

try {
  const figures: Figure[] = [];
  for (const subject of await subjects()) figures.push(...(await figuresOf(subject)));
  print(figures);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function subjects(): Promise<readonly Subject[]> {
  const ours = (name: string) => [process.execPath, join(root, `dist/executor-${name}.js`)];
  const module = join(root, 'fixtures/wasm/samples.wasm');
  const found: Subject[] = [
    { name: 'process', command: ours('process'), prints: { Command: ['sh', '-c', script] } },
    {
      ...{ name: 'wasm', command: ours('wasm') },
      mounts: [{ source: module, target: '/samples.wasm', readOnly: true }],
      prints: { EntryModule: '/samples.wasm', Parameters: ['lines', String(LINES)] },
    },
  ];
  if (engineHost === undefined) say('docker is left out: no engine');
  else {
    await importBusybox(engineHost);
    found.push({
      ...{ name: 'docker', command: ours('docker') },
      config: { host: engineHost, pullPolicy: 'never' },
      prints: { Image: IMAGE, Parameters: ['sh', '-c', script] },
    });
  }
  return [...found, ...inGo(), ...inPython()];
}

function inGo(): readonly Subject[] {
  const program = join(folder, 'go-script');
  const built = spawnSync('sh', [join(root, 'plugins/examples/go/build.sh'), program]);
  if (built.status === 0)
    return [{ name: 'example in Go', command: [program], prints: { Script: script } }];
  say('the example in Go is left out: it cannot be built here');
  return [];
}

function inPython(): readonly Subject[] {
  const program = join(root, 'plugins/examples/python/main.py');
  const code = `for _ in range(${LINES}): print('x' * ${LINE_BYTES - 1})`;
  if (spawnSync('/usr/bin/python3', ['-c', 'import grpc']).status === 0)
    return [
      {
        ...{ name: 'example in Python', command: ['/usr/bin/python3', program] },
        prints: { Program: code },
      },
    ];
  say('the example in Python is left out: no grpcio');
  return [];
}

async function figuresOf({ name, command, config = {}, prints, mounts = [] }: Subject) {
  say(`plugin ${name}`);
  const samples = { huge: prints };
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
  const subject = {
    ...{ command, env, config, samples, mounts },
    network: 'none' as const,
    slow: false,
  };
  const bench = new SuiteBench(join(folder, name.replaceAll(' ', '-')), subject, procProcesses());
  const ofPlugin = (what: string): string => `plugin ${name}: ${what}`;
  try {
    await bench.open();
    const spawned = await timesOf(SPAWNS, async () => {
      const plugin = await bench.spawn({ configure: false });
      await plugin.kill9();
      return plugin.readyMs;
    });
    const { rates, unary, reattached, bytes } = await ofLive(bench);
    return [
      figure(ofPlugin('spawn to handshake'), { unit: 'ms', values: spawned }),
      figure(ofPlugin('reattach (connect, Info, List)'), { unit: 'ms', values: reattached }),
      figure(ofPlugin('unary call (Info)'), { unit: 'ms', values: unary }),
      figure(ofPlugin(`log stream of ${bytes / 1e6} MB`), { unit: 'MB/s', values: rates }),
      figure(ofPlugin('memory then (RSS)'), {
        unit: 'MB',
        values: [megabytes(bench.plugin.pid, 'Rss')],
      }),
    ];
  } finally {
    await bench.close();
  }
}

async function ofLive(bench: SuiteBench) {
  const { plugin } = bench;
  const reattached = await timesOf(REATTACHES, async () => {
    const began = performance.now();
    const { calls, connection } = plugin.connect();
    await calls.info({});
    await calls.list({});
    connection.close();
    return performance.now() - began;
  });
  const unary = await timesOf(CALLS, async () => {
    const began = performance.now();
    await plugin.calls.info({});
    return performance.now() - began;
  });
  const { spec } = await launch(plugin, bench.spec('huge'));
  await ended(plugin, spec, PRINTED_MS);
  const bytes = LINES * LINE_BYTES;
  const rates = await timesOf(READS, async () => {
    const began = performance.now();
    const log = await readLog(plugin, spec, { withinMs: PRINTED_MS });
    if (log.bytes.length !== bytes)
      throw new Error(`the log has ${log.bytes.length} bytes, not ${bytes}`);
    return bytes / 1e6 / ((performance.now() - began) / 1000);
  });
  await remove(plugin, spec, true);
  return { rates, unary, reattached, bytes };
}

async function timesOf(count: number, one: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) values.push(await one());
  return values;
}
