/** `limpet job history ID` */
import type { Command } from 'commander';
import { shortId } from '../../core/ids.ts';
import type { ApiClient } from '../api/client.ts';
import { stringifyExact } from '../api/exact-json.ts';
import { historyPage } from '../api/models.ts';
import type { HistoryItem } from '../api/models.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { findJobId } from '../jobs/find-job.ts';
import { apiCommand, connect, outputOption } from '../options.ts';
import type { ApiOptions, OutputOptions } from '../options.ts';
import { formatTable } from '../output/table.ts';

const PAGE = 500;

export function jobHistory(context: Context): Command {
  return apiCommand('history', 'show what happened to a job, in order')
    .argument('<job>', 'name, id, or a unique beginning or end of the id')
    .addOption(outputOption())
    .action(async (text: string, options: ApiOptions & OutputOptions) => {
      const api = connect(context, options);
      const items = await readHistory(api, await findJobId(api, text));
      print(context, options.output === 'json' ? stringifyExact(items) : historyTable(items));
    });
}

/** All there is now; the token of a running job never ends, an empty page does. */
async function readHistory(api: ApiClient, jobId: string): Promise<HistoryItem[]> {
  const items: HistoryItem[] = [];
  let token: string | undefined;
  for (;;) {
    const path = `orchestrator/jobs/${encodeURIComponent(jobId)}/history`;
    const query = { event_type: 'all', limit: PAGE, next_token: token };
    const page = await api.get(path, historyPage, { query });
    items.push(...page.Items);
    if (page.NextToken === '' || page.Items.length < PAGE) return items;
    token = page.NextToken;
  }
}

export function historyTable(items: readonly HistoryItem[]): string {
  const rows = items.map((item) => [
    time(item),
    item.ExecutionID === '' ? '' : shortId(item.ExecutionID),
    item.Event.Topic,
    item.Event.Details?.['IsError'] === 'true'
      ? `Error: ${item.Event.Message}`
      : item.Event.Message,
  ]);
  return formatTable(['time', 'execution', 'topic', 'event'], rows);
}

function time({ Event, Time }: HistoryItem): string {
  const at = Date.parse(Event.Timestamp === '' ? Time : Event.Timestamp);
  return Number.isNaN(at) ? '' : new Date(at).toISOString().slice(11, 23);
}
