/** What one client of the dev broker may do, judged as nats-server does: lists of what is allowed, and answers. */
import type { Permissions } from '../../wire/permissions.ts';
import { covers } from './subjects.ts';

const ANSWERS_MAX = 4096;

export class Grant {
  readonly #permissions: Permissions;
  /** Reply subjects of messages that it got, and until when (of `performance.now`) it may answer there, once. */
  readonly #answers = new Map<string, number>();

  constructor(permissions: Permissions) {
    this.#permissions = permissions;
  }

  maySubscribe(subject: string): boolean {
    return this.#permissions.subscribe.some((allowed) => covers(allowed, subject));
  }

  /** An answer that it allows is used up. */
  mayPublish(subject: string): boolean {
    if (this.#permissions.publish.some((allowed) => covers(allowed, subject))) return true;
    const until = this.#answers.get(subject) ?? 0;
    this.#answers.delete(subject);
    return performance.now() < until;
  }

  /** It got a message that asks for an answer there. */
  asked(reply: string): void {
    const { answerMs } = this.#permissions;
    if (answerMs === undefined || reply === '') return;
    // The oldest one comes first.
    if (this.#answers.size >= ANSWERS_MAX)
      for (const [oldest] of this.#answers) {
        this.#answers.delete(oldest);
        break;
      }
    this.#answers.set(reply, performance.now() + answerMs);
  }
}
