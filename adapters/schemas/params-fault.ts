/** What an executor's schema has against the params of a task, by the path that they have in a job. */
import { canonicalParams, doubledParam } from '../../core/canonical-params.ts';
import { pathText, type Path } from '../../core/job-spec-error.ts';
import { oneLine } from './fault-text.ts';
import type { SchemaCheck } from './schema-check.ts';

const PARAMS: Path = ['Tasks', 0, 'Engine', 'Params'];

/** One line; undefined when there is nothing against them. */
export function paramsFault(
  check: SchemaCheck,
  params: Readonly<Record<string, unknown>>,
): string | undefined {
  const doubled = doubledParam(check.schema, params);
  if (doubled !== undefined)
    return oneLine(`${pathText([...PARAMS, doubled[1]])}: is there twice, as ${doubled[0]} too`);
  return check.fault(canonicalParams(check.schema, params), PARAMS);
}
