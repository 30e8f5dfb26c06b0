/** The connection axis, pure: what silence makes of a node. Nothing is taken from a node for its silence here. */
import type { NodeRecord } from '../state/records.ts';

export interface Thresholds {
  readonly heartbeatIntervalMs: number;
  readonly unknownAfterMs: number;
  readonly unhealthyAfterMs: number;
}

export type Connection = NodeRecord['connection'];

/** undefined when nothing changes. */
export function judgeSilence(
  current: Connection,
  silentMs: number,
  { unknownAfterMs, unhealthyAfterMs }: Thresholds,
): Pick<Connection, 'state' | 'reason'> | undefined {
  const state =
    silentMs >= unhealthyAfterMs
      ? 'unhealthy'
      : silentMs >= unknownAfterMs
        ? 'unknown'
        : 'connected';
  if (state === current.state || state === 'connected') return undefined;
  if (state === 'unknown' && current.state === 'unhealthy') return undefined;
  const after = state === 'unknown' ? unknownAfterMs : unhealthyAfterMs;
  return { state, reason: `no heartbeat for ${after / 1000} s` };
}
