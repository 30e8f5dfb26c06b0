/** The schema of an executor's params, as the API shows it. */
import type { ExecutorInfo } from '../../wire/messages.ts';
import type { SchemaShelf } from '../nodes/schema-shelf.ts';

export interface ExecutorSchemaShape {
  readonly ParamsSchema?: unknown;
  /** Why there is none, or why it is not used. */
  readonly ParamsSchemaProblem?: string;
}

export function executorSchema(schemas: SchemaShelf, executor: ExecutorInfo): ExecutorSchemaShape {
  const { schemaProblem } = executor;
  const found = schemas.of(executor);
  const problem = schemaProblem ?? found?.check.problem;
  if (problem !== undefined) return { ParamsSchemaProblem: problem };
  // It was read before, so it is JSON of bounded depth.
  return found === undefined ? {} : { ParamsSchema: JSON.parse(found.text) };
}
