/**
 * What an operator says of foreign work, and the sweep.
 *
 *   GET  /foreign        {foreign: ForeignShape[]}
 *   POST /foreign/:id    {word: "adopt" | "stop"}
 *   POST /sweep          {dryRun: boolean} -> SweepReport
 */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { idMatches, type ExecutionId } from '../../core/ids.ts';
import type { ForeignWork } from '../executions/foreign.ts';
import { foreignShape } from '../executions/foreign-shape.ts';
import type { SweepReport } from '../executions/sweep.ts';
import type { ApiRequest, Reply, Route } from './routes.ts';

export interface ForeignRoutesDeps {
  readonly foreign: Pick<ForeignWork, 'all' | 'operator'>;
  sweep(order: { readonly dryRun: boolean }): Promise<SweepReport>;
}

const wordSchema = z.strictObject({ word: z.enum(['adopt', 'stop']) });
const sweepSchema = z.strictObject({ dryRun: z.boolean() });

export function foreignRoutes(deps: ForeignRoutesDeps): readonly Route[] {
  const shapes = () => deps.foreign.all().map(({ record }) => foreignShape(record));
  return [
    { method: 'GET', path: '/foreign', answer: () => ({ json: { foreign: shapes() } }) },
    { method: 'POST', path: '/foreign/:id', answer: (request) => say(deps.foreign, request) },
    { method: 'POST', path: '/sweep', answer: (request) => sweep(deps, request) },
  ];
}

async function say(foreign: ForeignRoutesDeps['foreign'], request: ApiRequest): Promise<Reply> {
  const body = wordSchema.safeParse(await request.json());
  if (!body.success)
    throw new LimpetError('invalid-argument', 'foreign: expected {"word": "adopt" or "stop"}');
  const id = find(foreign, request.param('id'));
  await foreign.operator(id, body.data.word);
  return { json: { id, word: body.data.word } };
}

async function sweep(deps: ForeignRoutesDeps, request: ApiRequest): Promise<Reply> {
  const body = sweepSchema.safeParse(await request.json());
  if (!body.success)
    throw new LimpetError('invalid-argument', 'sweep: expected {"dryRun": true or false}');
  return { json: await deps.sweep(body.data) };
}

function find(foreign: ForeignRoutesDeps['foreign'], text: string): ExecutionId {
  const ids = foreign.all().map(({ record }) => record.placement.executionId);
  const [first, second] = ids.filter((id) => idMatches(id, text));
  if (first === undefined)
    throw new LimpetError('not-found', `this node has nothing foreign under ${text}`);
  if (second !== undefined)
    throw new LimpetError('ambiguous-id', `several foreign executions match '${text}'`);
  return first;
}
