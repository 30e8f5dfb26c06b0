/**
 * The two-way heartbeat of streams, only while a node serves some: one request of the agent names all its streams, the
 * answer names those that nobody wants any more, and exactly these are closed. A silent side is given up after MISSES.
 */
import { z } from 'zod';

export const HEARTBEAT_MS = 5_000;
export const ANSWER_TIMEOUT_MS = 3_000;
export const MISSES = 3;
/** After this long without a word of a node its streams are over for the requester. */
export const SILENCE_MS = HEARTBEAT_MS * MISSES + ANSWER_TIMEOUT_MS;

export const streamHeartbeatSchema = z.object({ streams: z.array(z.string()) });
export const streamHeartbeatAnswerSchema = z.object({ unwanted: z.array(z.string()) });
