/**
 * The reattach record of one plugin, under `plugin/<name>` in the store. Written as an intent before the spawn, so that a
 * process is never unknown, and as running once the handshake is there. Protocol, ProtocolVersion, Addr and Pid are the
 * names of hashicorp/go-plugin's reattach config; what stands beside them proves identity, which that config cannot.
 */
import { z } from 'zod';
import type { Logger } from '../../adapters/log/port.ts';
import type { ProcessIdentity } from '../../adapters/processes/port.ts';
import type { Store } from '../../adapters/store/port.ts';
import { messageOf } from '../../core/errors.ts';

const launched = {
  v: z.literal(1),
  name: z.string(),
  /** LIMPET_PLUGIN_INSTANCE of the process; Info echoes it. */
  instance: z.string().min(8),
  runDir: z.string(),
  bootId: z.string(),
  sha256: z.string(),
};

const Intent = z.object({ ...launched, phase: z.literal('intent') });

const Running = z.object({
  ...launched,
  phase: z.literal('running'),
  Protocol: z.literal('grpc'),
  ProtocolVersion: z.number().int(),
  Addr: z.object({ Network: z.literal('unix'), String: z.string() }),
  Pid: z.number().int().positive(),
  startTime: z.string(),
});

const PluginRecordSchema = z.discriminatedUnion('phase', [Intent, Running]);

export type PluginIntent = Readonly<z.infer<typeof Intent>>;
export type RunningPlugin = Readonly<z.infer<typeof Running>>;
export type PluginRecord = PluginIntent | RunningPlugin;

const PREFIX = 'plugin/';

/** undefined when there is none, or none that can be read: then the plugin is started anew. */
export async function loadRecord(
  store: Store,
  name: string,
  log: Logger,
): Promise<PluginRecord | undefined> {
  try {
    const stored = await store.get(PREFIX + name);
    return stored === undefined ? undefined : PluginRecordSchema.parse(stored);
  } catch (error) {
    log.warn('plugin.record-unreadable', { reason: messageOf(error) });
    return undefined;
  }
}

/** Those that can be read. */
export async function loadAllRecords(store: Store): Promise<readonly PluginRecord[]> {
  const { entries } = await store.scan({ prefix: PREFIX });
  return entries.flatMap(({ value }) => {
    const parsed = PluginRecordSchema.safeParse(value);
    return parsed.success ? [parsed.data] : [];
  });
}

export function saveRecord(store: Store, record: PluginRecord): Promise<void> {
  return store.batch([{ type: 'put', key: PREFIX + record.name, value: record }]);
}

export function deleteRecord(store: Store, name: string): Promise<void> {
  return store.batch([{ type: 'del', key: PREFIX + name }]);
}

export function identityOf(record: RunningPlugin): ProcessIdentity {
  return { pid: record.Pid, startTime: record.startTime, bootId: record.bootId };
}
