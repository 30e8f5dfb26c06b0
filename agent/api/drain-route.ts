/** POST /drain {on: boolean}: what `limpet agent drain` orders; answers when it is durable. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { Drain } from '../drain.ts';
import type { Route } from './routes.ts';

export interface DrainRouteDeps {
  readonly drain: Pick<Drain, 'set' | 'since'>;
}

const bodySchema = z.strictObject({ on: z.boolean() });

export function drainRoute({ drain }: DrainRouteDeps): Route {
  return {
    method: 'POST',
    path: '/drain',
    answer: async (request) => {
      const body = bodySchema.safeParse(await request.json());
      if (!body.success)
        throw new LimpetError('invalid-argument', 'drain: expected {"on": true or false}');
      await drain.set(body.data.on);
      return { json: { on: body.data.on, since: drain.since } };
    },
  };
}
