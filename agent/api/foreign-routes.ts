/**
 * What an operator says of foreign work, and the sweep.
 *
 *   GET  /foreign        {foreign: ForeignShape[]}
 *   POST /foreign/:id    {word: "adopt" | "stop"}
 *   POST /sweep          {dryRun: boolean} -> SweepReport
 */
import type { Hono } from 'hono';
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { idMatches, type ExecutionId } from '../../core/ids.ts';
import type { ForeignWork } from '../executions/foreign.ts';
import { foreignShape } from '../executions/foreign-shape.ts';
import type { SweepReport } from '../executions/sweep.ts';

export interface ForeignRoutesDeps {
  readonly foreign: Pick<ForeignWork, 'all' | 'operator'>;
  sweep(order: { readonly dryRun: boolean }): Promise<SweepReport>;
}

const wordSchema = z.strictObject({ word: z.enum(['adopt', 'stop']) });
const sweepSchema = z.strictObject({ dryRun: z.boolean() });

export function foreignRoutes(app: Hono, deps: ForeignRoutesDeps): void {
  app.get('/foreign', (c) =>
    c.json({ foreign: deps.foreign.all().map(({ record }) => foreignShape(record)) }),
  );
  app.post('/foreign/:id', async (c) => {
    const body = wordSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success)
      throw new LimpetError('invalid-argument', 'foreign: expected {"word": "adopt" or "stop"}');
    const id = find(deps.foreign, c.req.param('id'));
    await deps.foreign.operator(id, body.data.word);
    return c.json({ id, word: body.data.word });
  });
  app.post('/sweep', async (c) => {
    const body = sweepSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success)
      throw new LimpetError('invalid-argument', 'sweep: expected {"dryRun": true or false}');
    return c.json(await deps.sweep(body.data));
  });
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
