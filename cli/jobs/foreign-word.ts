/** An operator's word on foreign work, by way of the requester. */
import { z } from 'zod';
import { shortId } from '../../core/ids.ts';
import type { ApiClient } from '../api/client.ts';

const reply = z.looseObject({ executionId: z.string(), nodeId: z.string() });

/** Answers one line for people. */
export async function sayForeign(
  api: ApiClient,
  id: string,
  word: 'adopt' | 'stop',
): Promise<string> {
  const path = `limpet/foreign/${encodeURIComponent(id)}`;
  const { executionId, nodeId } = await api.call('POST', path, reply, { body: { word } });
  const done = word === 'adopt' ? 'is to be adopted' : 'is to be stopped';
  return `foreign execution ${shortId(executionId)} ${done} by node ${shortId(nodeId)}`;
}
