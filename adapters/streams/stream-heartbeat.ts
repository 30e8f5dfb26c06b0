/**
 * The two-way heartbeat of streams, only while a node serves some: one request of the agent for each requester names all
 * its streams and how many chunks each has sent; the answer names those that nobody wants any more, and exactly these are
 * closed, and how much of each has been consumed. So neither a lost chunk nor a lost credit, cancel or end leaves a stream
 * waiting. A silent side is given up after MISSES. A message without an owner says that a connection is new: no stream of
 * before is left.
 */
import { z } from 'zod';

export const HEARTBEAT_MS = 5_000;
export const ANSWER_TIMEOUT_MS = 3_000;
export const MISSES = 3;
/** After this long without a heartbeat of a node its streams are over for the requester. */
export const SILENCE_MS = HEARTBEAT_MS * MISSES + ANSWER_TIMEOUT_MS;
/** At most, of one stream in a heartbeat. */
export const BEAT_BYTES = 80;

const count = z.number().int().nonnegative();

export const streamHeartbeatSchema = z.object({
  /** Of stream-id.ts. */
  owner: z.string().exactOptional(),
  /** Id and number of the next chunk. */
  streams: z.array(z.tuple([z.string(), count])),
});
export type StreamHeartbeat = z.infer<typeof streamHeartbeatSchema>;

export const streamHeartbeatAnswerSchema = z.object({
  unwanted: z.array(z.string()),
  /** Bytes of each stream, in the order of the question. */
  consumed: z.array(count),
});
export type StreamHeartbeatAnswer = z.infer<typeof streamHeartbeatAnswerSchema>;
