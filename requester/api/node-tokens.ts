/** /api/v1/limpet/node-tokens: join tokens, made, listed and revoked by an admin. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { JoinTokens } from '../authority/tokens.ts';
import { actorOf } from './actor.ts';
import { answer, pathPart, readBody } from './answer.ts';
import type { ApiContext } from './context.ts';
import type { RouteTable } from './route-table.ts';

const TOKENS = '/api/v1/limpet/node-tokens';

const wish = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.@ -]{0,64}$/, 'expected up to 64 letters, digits, blanks and . _ @ -')
    .default(''),
  ttlMs: z
    .int()
    .min(1_000)
    .max(366 * 86_400_000)
    .default(3_600_000),
  uses: z.int().min(1).max(100_000).default(1),
  pending: z.boolean().default(false),
});

export function nodeTokenRoutes(routes: RouteTable, context: ApiContext): void {
  routes.add('admin', `POST ${TOKENS}`, async (c) => {
    const body = wish.safeParse((await readBody(c)) ?? {});
    if (!body.success) throw badBody(body.error);
    return answer(c, await tokensOf(context).create(body.data, actorOf(c)));
  });
  routes.add('admin', `GET ${TOKENS}`, (c) => answer(c, { tokens: tokensOf(context).list() }));
  routes.add('admin', `DELETE ${TOKENS}/:id`, async (c) =>
    answer(c, await tokensOf(context).revoke(pathPart(c, 'id'), actorOf(c))),
  );
}

function tokensOf({ joinTokens }: ApiContext): JoinTokens {
  if (joinTokens !== undefined) return joinTokens;
  throw new LimpetError(
    'conflict',
    'this requester has no authority, so that nodes join without a token; make one with `limpet requester init` and name it in its config (authority)',
  );
}

function badBody(error: z.ZodError): LimpetError {
  const issue = error.issues[0];
  const path = issue?.path.join('.') ?? '';
  return new LimpetError(
    'invalid-argument',
    `join token: ${path === '' ? 'body' : path}: ${issue?.message ?? 'not valid'}; expected {name?, ttlMs?, uses?, pending?}`,
  );
}
