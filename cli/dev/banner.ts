/** What stands on the screen when `limpet dev` is ready: where things are, and what to type next. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { shortId } from '../../core/ids.ts';
import { tildePath } from '../options.ts';
import { formatPairs } from '../output/table.ts';
import type { DevFile } from './dev-file.ts';

export interface BannerOptions {
  readonly data: string;
  readonly detached: boolean;
  /** LIMPET_DATA of the terminal that reads this. */
  readonly terminalData: string | undefined;
}

export function banner(file: DevFile, options: BannerOptions): string {
  const { data } = options;
  const isDefault = data === join(homedir(), '.limpet') && !options.terminalData;
  const known = isDefault || options.terminalData === data;
  const limpet = known ? 'limpet' : `LIMPET_DATA=${data} limpet`;
  const pairs = formatPairs([
    ['broker', file.broker && `${file.broker.kind}, ${file.broker.url}`],
    ['requester', file.requester?.url],
    ['node', file.agent ? shortId(file.agent.node) : noAgent(data)],
    ['executors', file.agent?.healthy.join(', ')],
    ...(file.agent?.unhealthy ?? []).map((why) => ['not usable', why] as const),
    ['data', tildePath(data)],
  ]);
  const next = [
    `${limpet} node list`,
    `${limpet} wasm run module.wasm`,
    `${limpet} docker run busybox echo hello`,
    `${limpet} job run job.yaml --follow`,
  ];
  const end = options.detached
    ? `It runs in the background; its log is ${tildePath(join(data, 'dev.log'))}. End it: ${limpet} dev --stop`
    : 'Ctrl-C ends everything.';
  const where = options.detached ? 'Next:' : 'Next, in another terminal:';
  return [
    'limpet dev is ready',
    indent(pairs),
    '',
    where,
    indent(next.join('\n')),
    '',
    end,
    '',
  ].join('\n');
}

function noAgent(data: string): string {
  return `none; start one with \`limpet agent --config ${tildePath(join(data, 'agent.config.json'))}\``;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
