/**
 * Tells every broker which keys are void: at each connection (a broker with a fresh folder knows only what it was
 * started with) and after each change, again and again until it was taken. A broker cuts the connections of such keys.
 */
import { z } from 'zod';
import { CLAIMS_UPDATE } from '../../adapters/authority/claims.ts';
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Transport } from '../../adapters/nats/port.ts';
import { LimpetError, messageOf } from '../../core/errors.ts';
import { fromBytes } from '../nodes/json-bytes.ts';
import type { WorldView } from '../state/world.ts';
import type { Authority } from './authority.ts';

export interface ClaimsPushParts {
  readonly authority: Authority;
  /** As the system user. */
  readonly transport: Transport;
  readonly world: WorldView;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timeoutMs: number;
}

const RETRY_MS = 2_000;

const answerSchema = z.looseObject({
  data: z.looseObject({ code: z.number() }).optional(),
  error: z.looseObject({ description: z.string() }).optional(),
});

export class ClaimsPush {
  readonly #parts: ClaimsPushParts;
  readonly #offConnection: () => void;
  #wanted = 0;
  #told = 0;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #problem: string | undefined;
  #closed = false;

  constructor(parts: ClaimsPushParts) {
    this.#parts = parts;
    this.#offConnection = parts.transport.onConnection((connected) => {
      if (connected) this.changed();
    });
  }

  /** One sentence while a broker may not know of every void key. */
  get problem(): string | undefined {
    return this.#told === this.#wanted ? undefined : this.#problem;
  }

  /** There are others now. */
  changed(): void {
    this.#wanted += 1;
    this.#begin();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#offConnection();
    this.#timer?.cancel();
    await this.#running;
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#running ??= this.#push().finally(() => (this.#running = undefined));
  }

  async #push(): Promise<void> {
    while (this.#told !== this.#wanted && !this.#closed) {
      const telling = this.#wanted;
      try {
        await this.#tell();
        this.#told = telling;
        this.#problem = undefined;
      } catch (thrown) {
        const reason = messageOf(thrown);
        this.#problem = `the broker was not told which keys are void: ${reason}`;
        this.#parts.log.warn('authority.claims-not-taken', { reason });
        if (!this.#closed)
          this.#timer = this.#parts.clock.after(RETRY_MS, () => {
            this.#begin();
          });
        return;
      }
    }
  }

  async #tell(): Promise<void> {
    const { authority, transport, log, timeoutMs } = this.#parts;
    const revoked = this.#revoked();
    const claims = Buffer.from(await authority.claims(revoked));
    const answer = answerSchema.parse(
      fromBytes(await transport.request(CLAIMS_UPDATE, claims, timeoutMs)),
    );
    if (answer.data?.code !== 200)
      throw new LimpetError('refused', answer.error?.description ?? JSON.stringify(answer));
    log.info('authority.claims-taken', { revoked: Object.keys(revoked).length });
  }

  /** Seconds; what has expired by itself is left out. */
  #revoked(): Record<string, number> {
    const { world, clock } = this.#parts;
    const now = clock.now();
    return Object.fromEntries(
      [...world.roster.revocations.values()]
        .filter(({ until }) => until > now)
        .map(({ publicKey, at }) => [publicKey, Math.ceil(at / 1000)]),
    );
  }
}
