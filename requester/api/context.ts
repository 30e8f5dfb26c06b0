/** What the routes work with. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import type { Config } from '../config.ts';
import type { Watchers } from '../jobs/watchers.ts';
import type { LogReader } from '../logs/log-reader.ts';
import type { RequesterMetrics } from '../metrics/list.ts';
import type { Preparing } from '../nodes/preparing.ts';
import type { Presence } from '../nodes/presence.ts';
import type { SchemaShelf } from '../nodes/schema-shelf.ts';
import type { NodeStreams } from '../nodes/streams.ts';
import type { Coordinator } from '../state/coordinator.ts';
import type { Mint } from '../state/minting.ts';
import type { Reader } from '../state/reader.ts';
import type { WorldView } from '../state/world.ts';
import type { ApiTokens } from './api-tokens.ts';
import type { JoinTokens } from '../authority/tokens.ts';
import type { Decision } from '../nodes/membership.ts';
import type { NodeId } from '../../core/ids.ts';

export interface ApiContext {
  readonly config: Config;
  readonly folder: string;
  readonly token: string;
  readonly tokens: ApiTokens;
  readonly requesterId: string;
  /** What is not as it should be with the store, one sentence each. */
  problems(): readonly string[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly world: WorldView;
  readonly reader: Reader;
  readonly mint: Mint;
  readonly coordinator: Coordinator;
  readonly presence: Presence;
  readonly schemas: SchemaShelf;
  readonly transport: Transport;
  readonly streams: NodeStreams;
  readonly logs: LogReader;
  readonly watchers: Watchers;
  readonly preparing: Preparing;
  readonly metrics: RequesterMetrics;
  /** The metrics in Prometheus' text form. */
  readonly scrape: () => Promise<string>;
  /** An operator's word on a node. Errors: `not-found`, `conflict`. */
  decide(node: NodeId, decision: Decision): Promise<void>;
  /** Of a requester with an authority. */
  readonly joinTokens: JoinTokens | undefined;
}
