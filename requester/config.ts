/** The requester's configuration: every field with default, bounds and meaning; the config reference is made of it. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { LimpetError, messageOf } from '../core/errors.ts';
import { shownValue } from '../core/shown-value.ts';

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host);
}

const absolute = z.string().regex(/^\//, 'expected an absolute path');

function durationMs(
  fallback: number,
  [least, most]: readonly [number, number],
  description: string,
) {
  return z.int().min(least).max(most).default(fallback).describe(`${description} Milliseconds.`);
}

const httpSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe(
        'Address on which the API listens. One other than 127.0.0.1, ::1 and localhost only with http.tls.',
      ),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .default(1234)
      .describe('0 takes any free port; endpoint.json names it.'),
    maxBodyBytes: z
      .int()
      .min(1024)
      .max(64 * 1024 * 1024)
      .default(10 * 1024 * 1024)
      .describe('Largest request body. Bytes.'),
    names: z
      .array(z.string().regex(/^[A-Za-z0-9.:[\]-]+$/, 'expected a name or an address, no port'))
      .default([])
      .describe(
        'Names and addresses under which clients reach the API, besides host and loopback; requests for others are refused.',
      ),
    tls: z
      .strictObject({
        certFile: absolute.describe("The server's certificate and what links it to its CA, PEM."),
        keyFile: absolute.describe('Its key, PEM; readable by the requester alone.'),
        caFile: absolute
          .optional()
          .describe('The CA by which clients on this host know the certificate, PEM.'),
      })
      .optional()
      .describe('The API speaks https.'),
  })
  .prefault({})
  .refine(({ host, tls }) => tls !== undefined || isLoopback(host), {
    path: ['host'],
    error: `expected ${LOOPBACK.join(', ')}; another address needs http.tls with certFile and keyFile`,
  })
  .describe('The HTTP API.');

const natsSchema = z
  .strictObject({
    servers: z
      .array(z.string().regex(/^(nats|tls):\/\/.+/, 'expected nats://host:port'))
      .min(1)
      .default(['nats://127.0.0.1:4222'])
      .describe('Brokers, tried in turn.'),
    user: z.string().optional().describe('User name at the broker.'),
    password: z.string().optional().describe('Password at the broker.'),
    credsFile: absolute
      .optional()
      .describe(
        'A .creds file for the broker, in place of user and password; default: requester.creds of the authority.',
      ),
    tls: z
      .strictObject({
        caFile: absolute
          .optional()
          .describe("The CA that signed the broker's certificate, PEM; default: the authority's."),
        certFile: absolute
          .optional()
          .describe('Certificate of this requester, PEM, for a broker that asks for one.'),
        keyFile: absolute.optional().describe('Its key, PEM.'),
      })
      .optional()
      .describe('TLS to the broker.'),
    requestTimeoutMs: durationMs(5_000, [100, 60_000], 'How long a node may take to answer.'),
  })
  .prefault({})
  .describe('The connection to the NATS broker.');

const nodesSchema = z
  .strictObject({
    approval: z
      .enum(['auto', 'manual'])
      .default('auto')
      .describe(
        'auto: every node that reaches the broker may work. manual: it waits for an operator. With an authority the join token decides.',
      ),
    credentialTtlMs: durationMs(
      86_400_000,
      [2_000, 366 * 86_400_000],
      'How long credentials are good that the authority issues to a node; it asks for the next ones after two thirds of it.',
    ),
    heartbeatIntervalMs: durationMs(15_000, [200, 600_000], 'How often each node reports.'),
    unknownAfterMs: durationMs(
      45_000,
      [400, 3_600_000],
      'Silence after which a node gets no new work.',
    ),
    unhealthyAfterMs: durationMs(
      300_000,
      [1_000, 86_400_000],
      'Silence after which a node is shown unhealthy. After a start waiting work of before it waits for silent nodes this long at the most.',
    ),
  })
  .prefault({})
  .refine((nodes) => nodes.unknownAfterMs >= 2 * nodes.heartbeatIntervalMs, {
    path: ['unknownAfterMs'],
    error: 'expected at least two heartbeat intervals',
  })
  .refine((nodes) => nodes.unhealthyAfterMs > nodes.unknownAfterMs, {
    path: ['unhealthyAfterMs'],
    error: 'expected more than unknownAfterMs',
  })
  .describe('Nodes and their liveness.');

const schedulingSchema = z
  .strictObject({
    maxSpecBytes: z
      .int()
      .min(1024)
      .max(900 * 1024)
      .default(700 * 1024)
      .describe('Largest task of a job; it has to fit one NATS message. Bytes.'),
    declineBackoffMs: durationMs(
      1_000,
      [10, 600_000],
      'A node that declined is first asked again after this.',
    ),
    declineBackoffMaxMs: durationMs(
      60_000,
      [10, 3_600_000],
      'The wait doubles with each refusal up to this.',
    ),
  })
  .prefault({})
  .describe('Placing work.');

const resultsSchema = z
  .strictObject({
    urlTtlMs: durationMs(
      3_600_000,
      [1_000, 604_800_000],
      'How long the URLs of the results list can be used.',
    ),
  })
  .prefault({})
  .describe('Results of jobs.');

const logSchema = z
  .strictObject({
    level: z
      .enum(['debug', 'info', 'warn', 'error'])
      .default('info')
      .describe('Least level that is logged.'),
  })
  .prefault({})
  .describe('The log on stderr.');

export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors.'),
  http: httpSchema,
  authority: absolute
    .optional()
    .describe(
      'Folder that `limpet requester init` has made: this requester issues and revokes the credentials of nodes.',
    ),
  nats: natsSchema,
  nodes: nodesSchema,
  scheduling: schedulingSchema,
  results: resultsSchema,
  log: logSchema,
});
export type Config = z.output<typeof configSchema>;

/** `undefined` is a config without a file. Errors: `invalid-config`, one line: path, value, what is allowed. */
export async function loadConfig(file: string | undefined): Promise<Config> {
  return file === undefined
    ? parseConfig({}, 'the default config')
    : parseConfig(await readJson(file), file);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (thrown) {
    throw new LimpetError('invalid-config', `cannot read ${file}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

export function parseConfig(data: unknown, where: string): Config {
  const result = configSchema.safeParse(data);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => issueText(issue, data));
  throw new LimpetError('invalid-config', `${where}: ${lines.join('; ')}`);
}

function issueText(issue: z.core.$ZodIssue, data: unknown): string {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => (path === '' ? key : `${path}.${key}`));
    return `unknown key ${keys.join(', ')}; known here: ${knownKeys(issue.path).join(', ')}`;
  }
  const value = issue.path.reduce<unknown>(
    (at, key) => new Map(Object.entries(at ?? {})).get(String(key)),
    data,
  );
  const shown =
    value === undefined
      ? 'is missing or at its default'
      : `is ${shownValue(issue.path.at(-1), value)}`;
  return `${path === '' ? 'the config' : path} ${shown}: ${lowerFirst(issue.message)}`;
}

function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = parseConfigShape();
  for (const key of path) at = new Map(Object.entries(at ?? {})).get(String(key));
  return Object.keys(at ?? {});
}

const NATS_TLS = { caFile: '', certFile: '', keyFile: '' };

function parseConfigShape(): unknown {
  return {
    $schema: '',
    ...configSchema.parse({}),
    http: { ...configSchema.parse({}).http, tls: { certFile: '', keyFile: '', caFile: '' } },
    authority: '',
    nats: { ...configSchema.parse({}).nats, user: '', password: '', credsFile: '', tls: NATS_TLS },
  };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
