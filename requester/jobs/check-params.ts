/**
 * The params of a new job against the schemas that nodes have told: refused when every approved node with that executor
 * has told one, and none takes them. Nodes may have different versions of an executor, so one that accepts is enough.
 */
import { LimpetError } from '../../core/errors.ts';
import type { SpecConfig } from '../../core/job.ts';
import type { SchemaShelf } from '../nodes/schema-shelf.ts';
import type { NodeRecord } from '../state/records.ts';

export type ParamsChecked =
  | { readonly checked: true }
  /** One sentence. */
  | { readonly checked: false; readonly reason: string };

/** Errors: `invalid-job`. */
export function checkParams(
  nodes: Iterable<NodeRecord>,
  schemas: Pick<SchemaShelf, 'judge'>,
  engine: SpecConfig,
): ParamsChecked {
  const executors = [...nodes]
    .filter(({ membership }) => membership.state === 'approved')
    .flatMap(({ info }) => info.executors)
    .filter(({ name }) => name === engine.Type);
  if (executors.length === 0)
    return { checked: false, reason: `no node with an executor ${engine.Type} is known` };
  const verdicts = executors.map((executor) => schemas.judge(executor, engine));
  const faults = verdicts.flatMap(({ fault }) => fault ?? []);
  if (verdicts.every(({ fault }) => fault !== undefined))
    throw new LimpetError('invalid-job', worded(faults));
  return verdicts.some(({ told }) => told)
    ? { checked: true }
    : {
        checked: false,
        reason: `no node has told a schema of what its executor ${engine.Type} takes that can be used; see \`limpet node describe\``,
      };
}

function worded(faults: readonly string[]): string {
  const different = new Set(faults).size;
  const more = `; ${different - 1} other versions of this executor refuse it for other reasons`;
  return `${faults[0] ?? ''}${different > 1 ? more : ''}`;
}
