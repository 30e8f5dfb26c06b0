/**
 * Keeps this node's credentials in force: joins by a token, renews in time, and says what is wrong. Nothing else of the
 * agent waits for it. What to do next is decided in `next-step.ts`.
 */
import { LimpetError, messageOf } from '../../core/errors.ts';
import type { Clock, Timer } from '../../adapters/clock/port.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { REFUSED } from '../../adapters/nats/nats-errors.ts';
import type { BrokerTransport, Credentials, TransportTls } from '../../adapters/nats/port.ts';
import { readUserJwt, type UserJwt } from '../../adapters/nats/user-jwt.ts';
import type { JoinAnswer } from '../../wire/join.ts';
import type { JoinToken } from '../../wire/join-token.ts';
import { askToJoin, askToRenew, type Applicant } from './ask.ts';
import { keepAuthority, readJwt, readTokenFile, writeJwt } from './files.ts';
import { nextStep, retryMs, type Standing, type Trouble } from './next-step.ts';
import {
  clockProblem,
  newToken,
  outOfForce,
  tokenRefused,
  withoutCredentials,
} from './problems.ts';
import type { Place } from './problems.ts';

export interface NodeCredentialsOptions extends Omit<Applicant, 'tls'> {
  readonly place: Place;
  readonly dataDir: string;
  /** Of the config. */
  readonly tls: TransportTls | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** From 0 to 1, see `nextStep`. */
  readonly early: number;
}

/** How soon a token that an operator has put there is seen. */
const LOOK_MS = 2_000;
/** A clock that differs by less is right: a JWT has whole seconds, and an answer takes its time. */
const SAME_CLOCK_MS = 5_000;

export class NodeCredentials {
  readonly #options: NodeCredentialsOptions;
  readonly #applicant: Applicant;
  #jwt: UserJwt | undefined;
  #skewMs = 0;
  #authority: string | undefined;
  #transport: BrokerTransport | undefined;
  /** The connection is still that of the JWT before. */
  #behind = false;
  #busy = false;
  #closed = false;
  #timer: Timer | undefined;
  #attempt = 0;
  /** Of `clock.uptime`. */
  #notBefore = 0;
  #tried = '';
  #trouble: string | undefined;

  private constructor(options: NodeCredentialsOptions) {
    this.#options = options;
    this.#applicant = { ...options, tls: () => this.tls() };
  }

  static async load(options: NodeCredentialsOptions): Promise<NodeCredentials> {
    const own = new NodeCredentials(options);
    const { dataDir, nodeId, key } = options;
    const stored = readJwt(dataDir, { nodeId, publicKey: key.publicKey });
    own.#jwt = stored?.jwt;
    own.#compareClocks(stored?.skewMs ?? 0);
    await own.#takeAuthority(own.#token());
    return own;
  }

  /** Errors: `unavailable`, while this node is about to join. */
  credentials(): Credentials | undefined {
    if (this.#jwt !== undefined)
      return { type: 'jwt', jwt: this.#jwt.text, seed: this.#options.key.seed };
    if (this.#token() === undefined) return undefined;
    throw new LimpetError('unavailable', 'not joined yet');
  }

  tls(): TransportTls | undefined {
    const { tls } = this.#options;
    const ca = tls?.caFile ?? this.#authority;
    return ca === undefined ? tls : { ...tls, caFile: ca };
  }

  get problems(): readonly string[] {
    const clock = clockProblem(this.#skewMs);
    return [...this.#credentialProblems(), ...(clock === undefined ? [] : [clock])];
  }

  start(transport: BrokerTransport): void {
    this.#transport = transport;
    transport.onConnection(() => {
      this.#look();
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #credentialProblems(): string[] {
    const { place } = this.#options;
    const refused = this.#transport?.refused === true;
    const trouble = this.#trouble === undefined ? [] : [this.#trouble];
    if (this.#jwt !== undefined && !refused) return trouble;
    const file = readTokenFile(place.tokenFile);
    const before = this.#jwt === undefined ? [] : [outOfForce(this.#jwt, this.#now())];
    if (file.type === 'token') return [...before, ...trouble];
    if (file.type === 'unreadable') return [...before, file.reason];
    if (this.#jwt === undefined) return refused ? [withoutCredentials(place)] : [];
    return [`${before.join('')}: ${newToken(place)}`];
  }

  #look(): void {
    if (this.#closed || this.#busy || this.#transport === undefined) return;
    const token = this.#token();
    // A new one is tried at once.
    if (token !== undefined && token.jwt !== this.#tried) this.#calm();
    const standing = this.#standing(token);
    const step = nextStep(standing, this.#options.early);
    const waitMs = this.#notBefore - this.#options.clock.uptime();
    if (step.do === 'wait') {
      if (!standing.connected) this.#lookIn(LOOK_MS);
    } else if (step.do === 'renew-later' && !this.#behind) this.#lookIn(step.ms);
    else if (waitMs > 0) this.#lookIn(Math.min(waitMs, LOOK_MS));
    else if (step.do === 'renew-later') this.#ask((transport) => this.#handOver(transport));
    else if (step.do === 'renew') this.#ask((transport) => this.#renew(transport));
    else if (token !== undefined) this.#ask(() => this.#join(token));
  }

  #standing(token: JoinToken | undefined): Standing {
    return {
      now: this.#now(),
      jwt: this.#jwt,
      connected: this.#transport?.connected === true,
      refused: this.#transport?.refused === true,
      hasToken: token !== undefined,
    };
  }

  #lookIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, () => {
      this.#look();
    });
  }

  #ask(work: (transport: BrokerTransport) => Promise<void>): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    this.#busy = true;
    void work(transport).finally(() => {
      this.#busy = false;
      this.#look();
    });
  }

  async #join(token: JoinToken): Promise<void> {
    this.#tried = token.jwt;
    const refusing = (why: string): string => `the requester does not let this node join: ${why}`;
    try {
      await this.#takeAuthority(token);
      await this.#answered(await askToJoin(this.#applicant, token, this.#now()), refusing);
    } catch (thrown) {
      const { code, message } = LimpetError.from(thrown);
      if (code === 'permission-denied' && message.startsWith(REFUSED))
        this.#failed('final', tokenRefused(token, this.#now(), this.#options.place));
      else this.#failed('away', `this node cannot join yet, and keeps trying: ${message}`);
    }
  }

  async #renew(transport: BrokerTransport): Promise<void> {
    const end = new Date(this.#jwt?.expiresAt ?? 0).toISOString();
    const failing = (why: string): string =>
      `the credentials of this node end at ${end} and are not renewed: ${why}`;
    try {
      const answer = await askToRenew(this.#applicant, transport, this.#now());
      await this.#answered(answer, failing);
    } catch (thrown) {
      this.#failed('away', failing(messageOf(thrown)));
    }
  }

  async #answered(answer: JoinAnswer, refusing: (why: string) => string): Promise<void> {
    const { key, nodeId, clock, log } = this.#options;
    if (answer.type === 'refused') {
      this.#failed(answer.final ? 'final' : 'refused', refusing(answer.reason));
      return;
    }
    const jwt = readUserJwt(answer.jwt);
    if (jwt?.publicKey !== key.publicKey || jwt.name !== nodeId) {
      this.#failed('refused', refusing('it has answered with credentials of another node'));
      return;
    }
    this.#calm();
    await this.#keep(jwt);
    this.#compareClocks(jwt.issuedAt - clock.now());
    this.#jwt = jwt;
    this.#behind = true;
    log.info('node.credentials', { nodeId, until: new Date(jwt.expiresAt).toISOString() });
    if (this.#transport !== undefined) await this.#handOver(this.#transport);
  }

  /** Without room on the disk they are used all the same: the node would be cut off for nothing else. */
  async #keep(jwt: UserJwt): Promise<void> {
    try {
      await writeJwt(this.#options.dataDir, jwt);
    } catch (thrown) {
      this.#options.log.warn('node.credentials-not-stored', { reason: messageOf(thrown) });
    }
  }

  async #handOver(transport: BrokerTransport): Promise<void> {
    try {
      await transport.renew();
      this.#behind = false;
    } catch (thrown) {
      const { clock, log } = this.#options;
      this.#notBefore = clock.uptime() + LOOK_MS;
      log.warn('node.credentials-not-used', { reason: messageOf(thrown) });
    }
  }

  #failed(trouble: Trouble, problem: string): void {
    const { clock, log } = this.#options;
    const leftMs = this.#jwt === undefined ? Infinity : this.#jwt.expiresAt - this.#jwt.issuedAt;
    this.#notBefore = clock.uptime() + retryMs(trouble, this.#attempt, leftMs);
    this.#attempt += 1;
    if (this.#trouble !== problem) log.warn('node.credentials-missing', { reason: problem });
    this.#trouble = problem;
  }

  #calm(): void {
    this.#attempt = 0;
    this.#notBefore = 0;
    this.#trouble = undefined;
  }

  #token(): JoinToken | undefined {
    const file = readTokenFile(this.#options.place.tokenFile);
    return file.type === 'token' ? file.token : undefined;
  }

  async #takeAuthority(token: JoinToken | undefined): Promise<void> {
    this.#authority = await keepAuthority(this.#options.dataDir, token?.ca);
  }

  #compareClocks(skewMs: number): void {
    this.#skewMs = Math.abs(skewMs) < SAME_CLOCK_MS ? 0 : skewMs;
  }

  /** By the requester's clock, as far as it is known. */
  #now(): number {
    return this.#options.clock.now() + this.#skewMs;
  }
}
