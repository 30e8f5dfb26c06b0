/** The JSON Schemas of engine params that a requester knows of its nodes. */
import type { EngineParams } from '../../core/job-file-schema.ts';
import type { ApiClient } from '../api/client.ts';
import { enginesReply } from '../api/models.ts';

export async function engineParams(api: ApiClient): Promise<EngineParams[]> {
  const { Engines } = await api.get('limpet/engines', enginesReply);
  return Engines.map(({ Type, Schemas }) => ({ type: Type, schemas: Schemas }));
}
