/** /api/v1/orchestrator/jobs */
import type { Context } from 'hono';
import { LimpetError } from '../../core/errors.ts';
import { parseSelector } from '../../core/label-selector.ts';
import { matchConstraints } from '../../core/labels.ts';
import { hasRole } from '../../wire/roles.ts';
import { stopJob } from '../jobs/stop.ts';
import { submitJob } from '../jobs/submit.ts';
import type { JobRecord } from '../state/records.ts';
import { answer, pathPart, readBody } from './answer.ts';
import type { ApiContext } from './context.ts';
import { historyPage } from './history-page.ts';
import { executionShape, historyShape, jobShape } from './job-shape.ts';
import { member } from './json.ts';
import { findJob } from './lookup.ts';
import { count, flag, pageOffset, pageToken } from './query.ts';
import { resultItems } from './results.ts';
import type { ApiCall, Caller, RouteTable } from './route-table.ts';

const JOBS = '/api/v1/orchestrator/jobs';

export function jobRoutes(routes: RouteTable, context: ApiContext): void {
  const { reader } = context;
  const named = (c: Context): Promise<JobRecord> =>
    findJob(reader, pathPart(c, 'id'), c.req.query('namespace') ?? '');
  for (const method of ['PUT', 'POST'] as const)
    routes.add('submitter', `${method} ${JOBS}`, (c) => submit(context, c));
  routes.add('reader', `GET ${JOBS}`, (c) => list(context, c));
  routes.add('reader', `GET ${JOBS}/:id`, async (c) => describe(context, c, await named(c)));
  routes.add('submitter', `DELETE ${JOBS}/:id`, async (c) => {
    const body = await readBody(c);
    const told = member(body, 'reason') ?? c.req.query('reason');
    const reason = typeof told === 'string' ? told : '';
    const job = await named(c);
    checkStop(c.get('caller'), job);
    const evaluation = await stopJob(context, job.id, reason);
    return answer(c, { EvaluationID: evaluation ?? '' });
  });
  routes.add('reader', `GET ${JOBS}/:id/history`, async (c) =>
    answer(c, await historyPage(reader, await named(c), c.req.query())),
  );
  routes.add('reader', `GET ${JOBS}/:id/executions`, async (c) => {
    const job = await named(c);
    return answer(c, { NextToken: '', Items: await executions(context, job, c) });
  });
  routes.add('reader', `GET ${JOBS}/:id/versions`, async (c) =>
    answer(c, { NextToken: '', Items: [jobShape(await named(c), context.requesterId)] }),
  );
  routes.add('reader', `GET ${JOBS}/:id/results`, async (c) => {
    const items = await resultItems(context, await named(c), new URL(c.req.url).origin);
    return answer(c, { NextToken: '', Items: items });
  });
}

/** What a node takes at the most, with its default grace, to end a run whose lease is over. */
const KILL_GRACE_MS = 10_000;

/** A submitter's own: submitted with a token of the same name, so that a renewed token still may. */
function checkStop({ role, name }: Caller, job: JobRecord): void {
  if (hasRole(role, 'operator') || job.submittedBy === name) return;
  throw new LimpetError(
    'forbidden',
    `job ${job.id} was submitted by ${job.submittedBy ?? 'the admin'}, not by '${name ?? ''}'; stopping it needs the role operator`,
  );
}

async function submit(context: ApiContext, c: ApiCall): Promise<Response> {
  const body = await readBody(c);
  const job = member(body, 'Job');
  if (job === undefined || job === null)
    throw new LimpetError('invalid-argument', 'the body has no Job; expected {"Job": {...}}');
  const { scheduling, nodes } = context.config;
  const { maxSpecBytes } = scheduling;
  const leastMs = 2 * nodes.heartbeatIntervalMs;
  const lease = { leastMs, mostMs: Math.max(leastMs, nodes.unhealthyAfterMs - KILL_GRACE_MS) };
  const submitter = { ...context, maxSpecBytes, lease, submittedBy: c.get('caller').name };
  const { jobId, evaluationId, warnings } = await submitJob(submitter, job);
  return answer(c, {
    JobID: jobId,
    EvaluationID: evaluationId,
    Warnings: warnings.length === 0 ? null : warnings,
  });
}

async function list({ reader, requesterId }: ApiContext, c: Context): Promise<Response> {
  const namespace = c.req.query('namespace') ?? '';
  const selectors = (c.req.queries('labels') ?? []).flatMap((text) => parseSelector(text));
  const limit = count(c.req.query('limit'), 'limit') ?? 0;
  const offset = pageOffset(c.req.query('next_token'));
  const reverse = flag(c.req.query('reverse'), 'reverse');
  const items: ReturnType<typeof jobShape>[] = [];
  let seen = 0;
  for await (const job of reader.jobs(reverse)) {
    if (namespace !== '' && namespace !== '*' && job.spec.Namespace !== namespace) continue;
    if (!matchConstraints(job.spec.Labels, selectors).ok) continue;
    seen += 1;
    if (seen <= offset) continue;
    if (limit > 0 && items.length === limit)
      return answer(c, { NextToken: pageToken(offset + limit), Items: items });
    items.push(jobShape(job, requesterId));
  }
  return answer(c, { NextToken: '', Items: items });
}

async function describe(context: ApiContext, c: Context, job: JobRecord): Promise<Response> {
  const { reader, requesterId } = context;
  const include = (c.req.query('include') ?? '').split(',');
  const history = include.includes('history')
    ? (await reader.history(job.id)).slice(0, 100)
    : undefined;
  const found = include.includes('executions') ? await executions(context, job, c) : undefined;
  return answer(c, {
    Job: jobShape(job, requesterId),
    ...(history === undefined
      ? {}
      : { History: { NextToken: '', Items: history.map((item) => historyShape(item, job.id)) } }),
    ...(found === undefined
      ? {}
      : {
          Executions: {
            NextToken: '',
            Items: found,
          },
        }),
  });
}

async function executions({ reader, preparing }: ApiContext, job: JobRecord, c: Context) {
  const records = await reader.executionsOf(job.id);
  if (/^modif/.test(c.req.query('order_by') ?? ''))
    records.sort((a, b) => a.modifiedAt - b.modifiedAt);
  if (flag(c.req.query('reverse'), 'reverse')) records.reverse();
  const limit = count(c.req.query('limit'), 'limit') ?? 0;
  const { Namespace: namespace } = job.spec;
  return (limit === 0 ? records : records.slice(0, limit)).map((execution) =>
    executionShape(execution, { namespace, progress: preparing.of(execution) }),
  );
}
