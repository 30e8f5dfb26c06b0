/** /api/v1/limpet/api-tokens: made, listed and revoked by an admin. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { NewApiToken } from '../../wire/http.ts';
import { ROLES } from '../../wire/roles.ts';
import { answer, pathPart, readBody } from './answer.ts';
import type { ApiContext } from './context.ts';
import type { RouteTable } from './route-table.ts';

const TOKENS = '/api/v1/limpet/api-tokens';

const newToken = z.strictObject({
  role: z.enum(ROLES),
  name: z
    .string()
    .regex(/^[\w.@-]{0,64}$/, 'expected up to 64 letters, digits and . _ @ -')
    .default(''),
  ttlMs: z
    .int()
    .min(1_000)
    .max(10 * 366 * 86_400_000)
    .optional(),
});

export function apiTokenRoutes(routes: RouteTable, { tokens }: ApiContext): void {
  routes.add('admin', `POST ${TOKENS}`, async (c) => {
    const body = newToken.safeParse(await readBody(c));
    if (!body.success) throw badBody(body.error);
    const { token, view } = await tokens.create(body.data);
    const made: NewApiToken = { ...view, token };
    return answer(c, made);
  });
  routes.add('admin', `GET ${TOKENS}`, (c) => answer(c, { tokens: tokens.list() }));
  routes.add('admin', `DELETE ${TOKENS}/:id`, async (c) =>
    answer(c, await tokens.revoke(pathPart(c, 'id'))),
  );
}

function badBody(error: z.ZodError): LimpetError {
  const issue = error.issues[0];
  const path = issue?.path.join('.') ?? '';
  return new LimpetError(
    'invalid-argument',
    `token: ${path === '' ? 'body' : path}: ${issue?.message ?? 'not valid'}; expected {role: ${ROLES.join(' | ')}, name?, ttlMs?}`,
  );
}
