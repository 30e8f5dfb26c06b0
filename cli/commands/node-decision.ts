/** An operator's word on nodes: what `limpet node approve`, `reject` and `delete` share. */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import type { ApiClient } from '../api/client.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';

const doneSchema = z.looseObject({ NodeID: z.string() });

interface NodeWord {
  readonly action: 'approve' | 'reject' | 'delete';
  /** What it was, for people: `approved`. */
  readonly done: string;
  readonly message?: string | undefined;
}

/** Says it of each node; one that refuses does not keep the others from it. Throws the first refusal. */
export async function decideNodes(
  context: Context,
  api: ApiClient,
  { nodes, word }: { readonly nodes: readonly string[]; readonly word: NodeWord },
): Promise<void> {
  const refusals: LimpetError[] = [];
  for (const node of nodes) {
    const body = { Action: word.action, Message: word.message ?? '' };
    const path = `orchestrator/nodes/${encodeURIComponent(node)}`;
    try {
      const { NodeID } = await api.call('PUT', path, doneSchema, { body });
      print(context, `node ${NodeID} is ${word.done}`);
    } catch (thrown) {
      refusals.push(LimpetError.from(thrown));
    }
  }
  const [first] = refusals;
  if (first === undefined) return;
  const more = refusals.length > 1 ? ` (and ${refusals.length - 1} more)` : '';
  throw new LimpetError(first.code, `${first.message}${more}`, { cause: first });
}
