/** Every success is 200 with a JSON body: Bacalhau's clients take nothing else for one. */
import type { Context } from 'hono';
import { LimpetError } from '../../core/errors.ts';
import { toJson } from './json.ts';

export function answer(context: Context, value: unknown): Response {
  return context.body(toJson(value), 200, { 'content-type': 'application/json; charset=UTF-8' });
}

/** The JSON body of a request; undefined when there is none. Errors: `invalid-argument`. */
export async function readBody({ req }: Context): Promise<unknown> {
  const text = await req.text();
  if (text === '') return undefined;
  if (!/^application\/json\b/i.test(req.header('content-type') ?? ''))
    throw new LimpetError(
      'invalid-argument',
      'Unsupported Media Type; expected content-type application/json',
    );
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new LimpetError('invalid-argument', 'the body is not JSON', { cause: thrown });
  }
}

/** A path parameter that the route's pattern guarantees. */
export function pathPart({ req }: Context, name: string): string {
  return req.param(name) ?? '';
}
