/**
 * Rows of the owner that this agent cannot read, since it is older or the row was damaged. Neither holds up the link. A
 * placement whose id and token can be read is declined with the reason, so that its owner shows it and looks elsewhere; of
 * anything else the node counts and tells.
 */
import { z } from 'zod';
import { LimpetError } from '../../core/errors.ts';
import { parseExecutionId } from '../../core/ids.ts';
import { tokenSchema, type ExecutionReport } from '../../wire/messages.ts';
import { VERSION } from '../../wire/version.ts';

const placeSchema = z.object({
  type: z.literal('place'),
  placement: z.object({
    executionId: z.string().transform(parseExecutionId),
    jobId: z.unknown(),
    token: tokenSchema,
  }),
});

/** The one report of a placement that cannot be read; undefined when not even that can be told. */
export function declinedUnread(
  body: unknown,
  thrown: unknown,
  now: number,
): ExecutionReport | undefined {
  const read = readPlace(body);
  if (read === undefined) return undefined;
  const { executionId, token, jobId } = read.placement;
  const reason = `agent ${VERSION} cannot read this ${LimpetError.from(thrown).message}`;
  return {
    executionId,
    ...(typeof jobId === 'string' ? { jobId } : {}),
    token,
    revision: 1,
    state: 'declined',
    run: 0,
    reason,
    events: [{ revision: 1, at: now, from: '', to: 'declined', cause: reason }],
  };
}

function readPlace(body: unknown): z.output<typeof placeSchema> | undefined {
  try {
    return placeSchema.safeParse(body).data;
  } catch {
    return undefined;
  }
}

/** What could not be read and has nobody who would hear of it. */
export class Unreadable {
  #count = 0;
  #last = '';

  note(seq: number, reason: string): void {
    this.#count += 1;
    this.#last = `row ${seq}: ${reason}`;
  }

  get count(): number {
    return this.#count;
  }

  /** For people; undefined when there was none since the start. */
  get line(): string | undefined {
    if (this.#count === 0) return undefined;
    const rows = this.#count === 1 ? '1 order' : `${this.#count} orders`;
    return `${rows} of the requester could not be followed and were passed over (agent ${VERSION}); the last, ${this.#last}`;
  }
}
