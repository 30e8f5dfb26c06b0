/** The engine as other people use it, beside our executor: dockerode without anything of ours. */
import Docker from 'dockerode';
import { containerName } from '../../../executors/docker/labels.ts';
import type { RunKey } from '../../../plugins/sdk/index.ts';
import type { Teardown } from '../../kit/teardown.ts';
import type { NodeFacts } from './node.ts';

export type RawEngine = Docker;

export function rawEngine(host: string): RawEngine {
  return new Docker({ socketPath: host.slice('unix://'.length), host: undefined });
}

export function nameOf(node: NodeFacts, run: { readonly spec: { readonly key: RunKey } }): string {
  return containerName(node, run.spec.key);
}

/** Removes at teardown what this node made in the engine, which may be shared with others. */
export function cleanUp(t: Teardown, raw: RawEngine, node: NodeFacts): void {
  t.teardown(async () => {
    const filters = { label: [`limpet.instance-id=${node.instanceId}`] };
    const containers = await raw.listContainers({ all: true, filters });
    for (const { Id } of containers) await raw.getContainer(Id).remove({ force: true, v: true });
    const volume = raw.getVolume(`limpet-${node.instanceId}`);
    await volume.remove().catch((e: { statusCode?: number }) => {
      if (e.statusCode !== 404) throw e;
    });
  });
}

/** What the container wrote to stdout, as the engine keeps it. */
export async function rawStdout(raw: RawEngine, container: string): Promise<string> {
  const bytes = await raw.getContainer(container).logs({ stdout: true, stderr: false });
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8 + bytes.readUInt32BE(at + 4))
    parts.push(bytes.toString('utf8', at + 8, at + 8 + bytes.readUInt32BE(at + 4)));
  return parts.join('');
}

/** A running container of somebody else; removed at teardown. */
export async function stranger(t: Teardown, raw: RawEngine, name: string, image: string) {
  const HostConfig = { NetworkMode: 'none' };
  const made = await raw.createContainer({ name, Image: image, Cmd: ['sleep', '60'], HostConfig });
  t.teardown(() => made.remove({ force: true }));
  await made.start();
  return made;
}
