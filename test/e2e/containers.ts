/** Containers of one execution or one node, asked of the engine itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { callEngine } from '../../scripts/engine.mjs';
import type { Teardown } from '../kit/teardown.ts';

export interface RunningContainer {
  readonly id: string;
  readonly startedAt: string;
  readonly pid: number;
}

const identity = z.looseObject({ nodeId: z.string(), instanceId: z.string() });
const listed = z.array(z.looseObject({ Id: z.string() }));
const inspected = z.looseObject({
  State: z.looseObject({ Pid: z.number(), StartedAt: z.string() }),
});

/** Ended ones too. */
export async function containersOf(host: string, execution: string): Promise<RunningContainer[]> {
  const found = await list(host, `limpet.execution-id=${execution}`);
  return Promise.all(
    found.map(async (id) => {
      const { body } = await callEngine(host, { path: `/containers/${id}/json` });
      const { State } = inspected.parse(JSON.parse(body));
      return { id, pid: State.Pid, startedAt: State.StartedAt };
    }),
  );
}

/** The engine may be shared: only what this node made, its volume too. Ask for it when the agent has run. */
export function cleanEngineAtEnd(t: Teardown, host: string, agentFolder: string): void {
  const text = readFileSync(join(agentFolder, 'identity.json'), 'utf8');
  const { nodeId, instanceId } = identity.parse(JSON.parse(text));
  t.teardown(async () => {
    for (const id of await list(host, `limpet.node-id=${nodeId}`))
      await callEngine(host, { method: 'DELETE', path: `/containers/${id}?force=1&v=1` });
    await callEngine(host, { method: 'DELETE', path: `/volumes/limpet-${instanceId}` });
  });
}

async function list(host: string, label: string): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  const { body } = await callEngine(host, { path: `/containers/json?all=1&filters=${filters}` });
  return listed.parse(JSON.parse(body)).map(({ Id }) => Id);
}
