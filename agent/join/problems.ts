/** What is wrong with a node's credentials, and what to do about it: one sentence each. */
import { describeMs } from './span.ts';
import type { JoinToken } from '../../wire/join-token.ts';
import { readUserJwt, type UserJwt } from '../../adapters/nats/user-jwt.ts';

/** Where the unit's credentials come from. */
const UNIT_TOKEN = '/etc/limpet/keys/join.token';
const CLOCK_OFF_MS = 60_000;

export interface Place {
  readonly servers: readonly string[];
  readonly tokenFile: string | undefined;
  readonly credentialsDirectory: string | undefined;
}

/** What an operator does to let this node join. */
export function newToken({ tokenFile, credentialsDirectory }: Place): string {
  const make = 'make a token at the requester (`limpet node token create`)';
  if (tokenFile === undefined)
    return `${make}, put it into a file, and name that as nats.joinTokenFile`;
  const ofUnit =
    credentialsDirectory !== undefined && tokenFile.startsWith(`${credentialsDirectory}/`);
  return ofUnit
    ? `${make}, put it into ${UNIT_TOKEN}, and restart the agent`
    : `${make} and put it into ${tokenFile}; it is taken from there within seconds`;
}

export function withoutCredentials(place: Place): string {
  return `the broker ${place.servers.join(', ')} asks for credentials, and this node has none and no join token: ${newToken(place)}`;
}

/** The broker refuses the JWT. */
export function outOfForce(jwt: UserJwt, now: number): string {
  return jwt.expiresAt < now
    ? `the credentials of this node expired ${describeMs(now - jwt.expiresAt)} ago`
    : 'the broker refuses the credentials of this node: it was rejected, or the broker has another operator by now';
}

/** The broker refuses the token. */
export function tokenRefused(token: JoinToken, now: number, place: Place): string {
  const expiresAt = readUserJwt(token.jwt)?.expiresAt ?? Infinity;
  const why =
    expiresAt < now
      ? `expired ${describeMs(now - expiresAt)} ago`
      : "was revoked, or is not of this broker's operator";
  return `the join token ${token.id} ${why}: ${newToken(place)}`;
}

/** `skewMs`: how far the requester's clock is ahead of the one here. */
export function clockProblem(skewMs: number): string | undefined {
  if (Math.abs(skewMs) < CLOCK_OFF_MS) return undefined;
  const side = skewMs > 0 ? 'behind' : 'ahead of';
  return `the clock of this host is ${describeMs(Math.abs(skewMs))} ${side} the requester's: set it right (NTP)`;
}
