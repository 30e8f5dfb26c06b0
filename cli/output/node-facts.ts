/** Facts of a node that several screens show. */
import type { NodeState } from '../api/models.ts';

/** It gets no new work, because its operator drains it. */
export function isIneligible({ Limpet }: NodeState): boolean {
  return Limpet?.Scheduling?.state === 'ineligible';
}

export function cores(count: number | null | undefined): string {
  return String(Number((count ?? 0).toFixed(2)));
}

/** The zero time of Go means never. */
export function lastHeartbeat(node: NodeState): number | undefined {
  const at = Date.parse(node.ConnectionState?.LastHeartbeat ?? '');
  return Number.isNaN(at) || at <= 0 ? undefined : at;
}
