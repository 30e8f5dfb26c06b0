/** Where logs come from: the nodes, and what the requester knows of them. */
import type { Clock } from '../../adapters/clock/port.ts';
import type { NodeStreams } from '../nodes/streams.ts';
import type { Reader } from '../state/reader.ts';
import type { WorldView } from '../state/world.ts';
import type { LogOrigin } from './log-origin.ts';

export interface NodeOriginParts {
  readonly streams: NodeStreams;
  readonly reader: Reader;
  readonly world: WorldView;
  readonly clock: Clock;
}

export function nodeOrigin({ streams, reader, world, clock }: NodeOriginParts): LogOrigin {
  return {
    clock,
    open: (execution, wish) => streams.logs(execution, wish),
    now: ({ id }) => reader.execution(id),
    isAway: ({ nodeId }) => world.node(nodeId)?.connection.state !== 'connected',
  };
}
