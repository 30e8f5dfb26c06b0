/**
 * What an operator sees and does with plugins.
 *
 *   GET  /plugins                  {plugins: PluginFact[]}
 *   GET  /plugins/:name            PluginDetail
 *   POST /plugins/:name/restart    {name, instance?}: the instance that ends
 *   GET  /plugins/:name/log        ?lines=N, or ?from=OFFSET: {file, text, next}
 *   GET  /plugins/:name/schema     {config, params}
 */
import { LimpetError } from '../../core/errors.ts';
import type { PluginDetail, PluginFact } from '../../wire/plugins.ts';
import { logFrom, logTail } from '../plugins/read-log.ts';
import type { ApiRequest, Reply, Route } from './routes.ts';

const MAX_LINES = 100_000;

export interface PluginDesk {
  set(): readonly PluginFact[];
  /** Orderly end, then at once a new process; its runs go on. */
  restart(name: string): Promise<void>;
  attributes(name: string): Readonly<Record<string, string>>;
  /** The stored reattach record. */
  record(name: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** undefined when it has never told them to this agent. */
  schemas(name: string): { readonly config: unknown; readonly params: unknown } | undefined;
  logFile(name: string): string;
}

export interface PluginRoutesDeps {
  readonly plugins: PluginDesk;
}

export function pluginRoutes(desk: PluginDesk): readonly Route[] {
  const path = '/plugins/:name';
  return [
    { method: 'GET', path: '/plugins', answer: () => ({ json: { plugins: desk.set() } }) },
    { method: 'GET', path, answer: (request) => inspect(desk, request) },
    { method: 'POST', path: `${path}/restart`, answer: (request) => restart(desk, request) },
    { method: 'GET', path: `${path}/log`, answer: (request) => log(desk, request) },
    { method: 'GET', path: `${path}/schema`, answer: (request) => schema(desk, request) },
  ];
}

/** Errors: `not-found`, with the names that there are. */
function find(desk: PluginDesk, request: ApiRequest): PluginFact {
  const name = request.param('name');
  const all = desk.set();
  const found = all.find((plugin) => plugin.name === name);
  if (found !== undefined) return found;
  const names = all.map((plugin) => plugin.name).join(', ');
  throw new LimpetError(
    'not-found',
    `there is no plugin '${name}'; ${names === '' ? 'this node has none' : `there are: ${names}`}`,
  );
}

async function inspect(desk: PluginDesk, request: ApiRequest): Promise<Reply> {
  const fact = find(desk, request);
  const record = await desk.record(fact.name);
  const attributes = { ...desk.attributes(fact.name) };
  const json: PluginDetail = { ...fact, attributes, ...(record === undefined ? {} : { record }) };
  return { json };
}

async function restart(desk: PluginDesk, request: ApiRequest): Promise<Reply> {
  const { name, instance } = find(desk, request);
  await desk.restart(name);
  return { json: { name, instance } };
}

async function log(desk: PluginDesk, request: ApiRequest): Promise<Reply> {
  const file = desk.logFile(find(desk, request).name);
  const from = request.query('from');
  const part =
    from === ''
      ? await logTail(file, numberOf(request, 'lines', MAX_LINES))
      : await logFrom(file, numberOf(request, 'from', Number.MAX_SAFE_INTEGER));
  return { json: { file, ...part } };
}

function numberOf(request: ApiRequest, name: string, max: number): number {
  const text = request.query(name);
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new LimpetError(
    'invalid-argument',
    `${name} is '${text}'; expected a whole number of at most ${max}`,
  );
}

function schema(desk: PluginDesk, request: ApiRequest): Reply {
  const { name, state, reason } = find(desk, request);
  const schemas = desk.schemas(name);
  if (schemas !== undefined) return { json: schemas };
  throw new LimpetError(
    'unavailable',
    `plugin ${name} has not told its schema: it is ${state}${reason === '' ? '' : ` (${reason})`}`,
  );
}
