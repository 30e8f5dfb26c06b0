/** Finds what a person names: a job by name, then by id; ids whole, by a unique beginning or end. */
import { LimpetError } from '../../core/errors.ts';
import { idMatches, parseExecutionId, parseJobId } from '../../core/ids.ts';
import type { Reader } from '../state/reader.ts';
import type { ExecutionRecord, JobRecord, NodeRecord } from '../state/records.ts';
import type { WorldView } from '../state/world.ts';

export async function findJob(reader: Reader, text: string, namespace: string): Promise<JobRecord> {
  const named = await reader.jobByName(namespace === '' ? 'default' : namespace, text);
  if (named !== undefined) return named;
  const id = single(await reader.idsLike('job', text), 'job', text);
  const job = await reader.job(parseJobId(id));
  if (job === undefined) throw new LimpetError('not-found', `job not found: ${text}`);
  return job;
}

export async function findExecution(reader: Reader, text: string): Promise<ExecutionRecord> {
  const id = single(await reader.idsLike('exec', text), 'execution', text);
  const execution = await reader.execution(parseExecutionId(id));
  if (execution === undefined) throw new LimpetError('not-found', `execution not found: ${text}`);
  return execution;
}

export function findNode(world: WorldView, text: string): NodeRecord {
  const nodes = [...world.nodes()];
  const exact = nodes.find(({ id }) => id === text);
  const matches = exact === undefined ? nodes.filter(({ id }) => idMatches(id, text)) : [exact];
  const id = single(
    matches.map((node) => node.id),
    'node',
    text,
  );
  const found = matches.find((node) => node.id === id);
  if (found === undefined) throw new LimpetError('not-found', `node not found: ${text}`);
  return found;
}

function single(ids: readonly string[], what: string, text: string): string {
  const [first, second] = ids;
  if (first === undefined) throw new LimpetError('not-found', `${what} not found: ${text}`);
  if (second !== undefined && first !== text)
    throw new LimpetError(
      'ambiguous-id',
      `several ${what}s match '${text}'; use the full ${what} id`,
    );
  return first;
}
