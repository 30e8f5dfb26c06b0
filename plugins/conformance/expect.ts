/** What a rule demands. Each throws a Violation when it is not so. */
import { status } from '@grpc/grpc-js';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { Phase, type RunState } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import { Violation } from './types.ts';

export type StatusName = keyof typeof status;

export function demand(kept: boolean, expected: string, found: string): asserts kept {
  if (!kept) throw new Violation(expected, found);
}

export function demandEqual(
  what: string,
  found: string | number | bigint | boolean | undefined,
  expected: typeof found,
): void {
  demand(found === expected, `${what} ${String(expected)}`, String(found));
}

/** The answer of a call that has to fail with one of these statuses; resolves to its message. */
export async function demandStatus(
  what: string,
  expected: StatusName | readonly StatusName[],
  call: Promise<unknown>,
): Promise<string> {
  const names: readonly StatusName[] = typeof expected === 'string' ? [expected] : expected;
  const wanted = `${what} to answer ${names.join(' or ')}`;
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error ?? new Error('an error without a word'),
  );
  if (thrown === undefined) throw new Violation(wanted, 'it answered OK');
  if (!names.some((name) => name === statusOf(thrown)))
    throw new Violation(wanted, `${statusOf(thrown)}: ${messageOf(thrown)}`);
  return messageOf(thrown);
}

/** The gRPC status that a call failed with; UNKNOWN for anything that was no call. */
export function statusOf(thrown: unknown): string {
  const error: unknown = thrown instanceof LimpetError ? thrown.cause : thrown;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number')
    return 'UNKNOWN';
  return status[error.code] ?? 'UNKNOWN';
}

export function phaseText({ phase }: Pick<RunState, 'phase'>): string {
  return (Phase[phase] ?? String(phase)).toLowerCase();
}

/** `exited, exit 7 (asked)`; `running`. */
export function stateText(state: RunState): string {
  const { outcome } = state;
  if (outcome === undefined) return phaseText(state);
  const reason = outcome.reason === '' ? '' : ` (${outcome.reason})`;
  return `${phaseText(state)}, ${outcome.by} ${outcome.code ?? '-'}${reason}`;
}

/** The same without the reason, which is each plugin's own. */
export function endText(state: RunState): string {
  const { outcome } = state;
  const end = outcome === undefined ? '' : `, ${outcome.by} ${outcome.code ?? '-'}`;
  return `${phaseText(state)}${end}`;
}
