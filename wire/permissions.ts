/**
 * What each kind of program may do at the broker. With an authority the broker takes it from the keys that sign user JWTs,
 * in `limpet dev` from a list of users; it is the same.
 */
import { z } from 'zod';

export const permissionsSchema = z.object({
  /** Subjects; `*` stands for one token, a final `>` for all that follow. */
  publish: z.array(z.string()),
  subscribe: z.array(z.string()),
  /** For so long one answer may be sent to each message that asks for one, wherever it has to go; without it, none. */
  answerMs: z.number().int().optional(),
});
export type Permissions = z.infer<typeof permissionsSchema>;

/** A plain user of a broker. */
export const brokerUserSchema = z.object({
  user: z.string(),
  password: z.string().min(1),
  permissions: permissionsSchema,
});
export type BrokerUser = z.infer<typeof brokerUserSchema>;

/** Longer than any answer takes. */
const ANSWER_MS = 300_000;

export const REQUESTER_INBOX = '_INBOX.requester';

/** `node`: its id, or what the broker puts the id in place of. */
export function agentPermissions(node: string): Permissions {
  return {
    publish: [`node.requester.${node}.>`],
    subscribe: [`node.compute.${node}.>`, `_INBOX.${node}.>`],
    answerMs: ANSWER_MS,
  };
}

/** `token`: its id, or what the broker puts the id in place of. */
export function joinPermissions(token: string): Permissions {
  return { publish: [`node.join.${token}.Join/v1`], subscribe: [`_INBOX.${token}.>`] };
}

export const REQUESTER_PERMISSIONS: Permissions = {
  publish: ['node.compute.*.>'],
  subscribe: ['node.requester.>', 'node.join.>', `${REQUESTER_INBOX}.>`],
  answerMs: ANSWER_MS,
};
