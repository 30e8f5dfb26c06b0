/** What `limpet dev` was asked for. */
import type { BrokerKind } from './broker.ts';

export const EXECUTORS = ['docker', 'wasm', 'process'] as const;

export interface DevOptions {
  /** Absolute. */
  readonly data: string;
  readonly agent: boolean;
  readonly broker: BrokerKind | undefined;
  /** Enabled beside docker and wasm. */
  readonly executors: readonly string[];
  /** Absolute folders that `local` inputs may read. */
  readonly allowLocal: readonly string[];
  /** Absolute folder of executor plugins. */
  readonly pluginDir: string | undefined;
  /** A config of the agent, laid over the generated one. */
  readonly agentConfig: string | undefined;
}
