/** A node whose docker plugin is open, and the engine by raw calls; its containers go at the end. */
import type Docker from 'dockerode';
import { tempDir } from '../../kit/temp-dir.ts';
import type { Teardown } from '../../kit/teardown.ts';
import { newNode, openPlugin, type NodeFacts } from './node.ts';
import { cleanUp, rawEngine } from './raw-engine.ts';

export interface OnePlugin {
  readonly node: NodeFacts;
  readonly raw: Docker;
  readonly plugin: Awaited<ReturnType<typeof openPlugin>>;
}

export async function onePlugin(t: Teardown, host: string): Promise<OnePlugin> {
  const node = newNode(tempDir(t));
  const raw = rawEngine(host);
  cleanUp(t, raw, node);
  const plugin = await openPlugin(node, host);
  t.teardown(() => plugin.close?.());
  return { node, raw, plugin };
}
