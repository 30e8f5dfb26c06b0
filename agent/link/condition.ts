/** Why the requester does not answer: four conditions, each with its own words, in status and log. */
import type { LimpetError } from '../../core/errors.ts';

/** `connected`: the broker is there. */
export function conditionOf(error: LimpetError, connected: boolean): string {
  if (error.code === 'permission-denied') return `permission denied: ${error.message}`;
  if (!connected) return `broker gone: ${error.message}`;
  if (error.code === 'unavailable') return `requester absent: ${error.message}`;
  if (error.code === 'timeout') return `requester silent: ${error.message}`;
  return `requester: ${error.message}`;
}
