/** From what a person types (a name, an id, a unique beginning or end of one) to one item. */
import { LimpetError } from '../../core/errors.ts';
import { idMatches, shortId } from '../../core/ids.ts';
import type { ApiClient } from '../api/client.ts';
import { executionPage, jobPage } from '../api/models.ts';
import type { Execution, Job } from '../api/models.ts';

const PAGE = 1000;
const FULL_ID = /^j-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface ListJobs {
  readonly labels?: string;
  readonly newestFirst?: boolean;
  /** All when missing. */
  readonly limit?: number;
}

export async function listJobs(api: ApiClient, options: ListJobs = {}): Promise<Job[]> {
  const jobs: Job[] = [];
  const most = options.limit ?? Infinity;
  let token: string | undefined;
  do {
    const page = await api.get('orchestrator/jobs', jobPage, {
      query: {
        limit: Math.min(PAGE, most - jobs.length),
        order_by: 'created_at',
        reverse: options.newestFirst ?? true,
        labels: options.labels,
        next_token: token,
      },
    });
    jobs.push(...page.Items);
    token = page.NextToken === '' ? undefined : page.NextToken;
  } while (token !== undefined && jobs.length < most);
  return jobs;
}

/** The full id. A full id is taken as it is. Throws `not-found` or `ambiguous-id`. */
export async function findJobId(api: ApiClient, text: string): Promise<string> {
  if (FULL_ID.test(text)) return text;
  const jobs = await listJobs(api);
  const named = jobs.find((job) => job.Name === text);
  if (named !== undefined) return named.ID;
  return pickOne(jobs, (job) => job.ID, { what: 'job', text, list: 'limpet job list' }).ID;
}

export async function listExecutions(api: ApiClient, jobId: string): Promise<Execution[]> {
  const page = await api.get(
    `orchestrator/jobs/${encodeURIComponent(jobId)}/executions`,
    executionPage,
    {
      query: { limit: 10_000, order_by: 'created_at' },
    },
  );
  return page.Items;
}

export interface Wanted {
  readonly what: string;
  readonly text: string;
  /** The command that shows what there is. */
  readonly list: string;
}

/** The one item whose id matches. Throws `not-found`, or `ambiguous-id` with the candidates. */
export function pickOne<T>(items: readonly T[], idOf: (item: T) => string, wanted: Wanted): T {
  const { what, text, list } = wanted;
  const exact = items.filter((item) => idOf(item) === text);
  const matches = exact.length > 0 ? exact : items.filter((item) => idMatches(idOf(item), text));
  const [first, second] = matches;
  if (first === undefined)
    throw new LimpetError('not-found', `no ${what} matches '${text}'; see \`${list}\``);
  if (second === undefined) return first;
  const shown = matches.slice(0, 5).map((item) => shortId(idOf(item)));
  const more = matches.length > shown.length ? ` and ${matches.length - shown.length} more` : '';
  throw new LimpetError(
    'ambiguous-id',
    `'${text}' matches ${matches.length} ${what}s: ${shown.join(', ')}${more}; type more of the id`,
  );
}
