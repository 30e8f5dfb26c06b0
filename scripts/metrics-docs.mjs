/**
 * `npx tsx scripts/metrics-docs.mjs [--check]`: writes docs/reference/metrics.md from the lists of agent and requester.
 * `--check` writes nothing and exits 1 when the page is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { AGENT_METRICS } from '../agent/explain/metrics.ts';
import { REQUESTER_METRICS } from '../requester/metrics/list.ts';

const file = fileURLToPath(new URL('../docs/reference/metrics.md', import.meta.url));

const lines = [
  '# Metrics',
  '',
  "In Prometheus' text form. No label holds an id, so the number of series depends on executors, routes and states alone.",
  'Beside these each program shows the metrics of its process that npm prom-client collects: `process_*` (cpu, memory, open files) and `nodejs_*` (event loop, garbage collection, heap).',
  'Counters live as long as the process. The library is loaded, and histograms and the process are measured, from the first scrape on.',
  '',
  'This page is written by `npx tsx scripts/metrics-docs.mjs`.',
  '',
  '## Agent',
  '',
  "`limpet agent metrics`, or `GET /metrics` on the agent's socket: `curl --unix-socket /var/lib/limpet/agent/run/agent.sock http://agent/metrics`.",
  '',
  ...table(AGENT_METRICS),
  '',
  '## Requester',
  '',
  '`GET /api/v1/limpet/metrics` with a token of the role `reader`.',
  '',
  ...table(REQUESTER_METRICS),
];

function table(metrics) {
  return [
    '| metric | type | labels | meaning |',
    '|---|---|---|---|',
    ...Object.entries(metrics).map(([name, { type, help, labels }]) => {
      const named = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${named} | ${help.replaceAll('|', '\\|')} |`;
    }),
  ];
}

const text = await format(`${lines.join('\n')}\n`, {
  ...(await resolveConfig(file)),
  filepath: file,
});
if (process.argv.includes('--check')) {
  if (text !== readIfThere()) {
    console.error('out of date: docs/reference/metrics.md; run `npx tsx scripts/metrics-docs.mjs`');
    process.exitCode = 1;
  }
} else writeFileSync(file, text);

function readIfThere() {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
