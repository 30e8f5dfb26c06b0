import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { FakeClock } from '../../adapters/clock/fake-clock.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { ApiTokens } from '../../requester/api/api-tokens.ts';
import { hasRole, ROLES, type Role } from '../../wire/roles.ts';
import { requesterInProcess } from '../kit/requester/in-process.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(120_000);

const skip = natsServerSkip();
const API_TOKENS = '/api/v1/limpet/api-tokens';
const JOBS = '/api/v1/orchestrator/jobs';

interface Reply {
  readonly status: number;
  readonly text: string;
}

const madeSchema = z.looseObject({ id: z.string(), token: z.string() });

class Api {
  readonly url: string;
  readonly admin: string;
  readonly routes: Awaited<ReturnType<typeof requesterInProcess>>['routes'];

  private constructor(url: string, admin: string, routes: Api['routes']) {
    this.url = url;
    this.admin = admin;
    this.routes = routes;
  }

  static async start(t: Teardown): Promise<Api> {
    const nats = await startNatsServer(t);
    const folder = tempDir(t);
    const config = { http: { port: 0 }, nats: { servers: [nats.url] } };
    const { url, routes } = await requesterInProcess(t, folder, config);
    return new Api(url, readFileSync(join(folder, 'token'), 'utf8').trim(), routes);
  }

  async ask(token: string | undefined, pattern: string, body?: unknown): Promise<Reply> {
    const [method = '', path = ''] = pattern.split(' ');
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    return { status: response.status, text: await response.text() };
  }

  async make(role: Role, more: Readonly<Record<string, unknown>> = {}) {
    const { text } = await this.ask(this.admin, `POST ${API_TOKENS}`, { role, ...more });
    return madeSchema.parse(JSON.parse(text));
  }
}

t.test('the API and its roles', { skip }, async (t) => {
  const api = await Api.start(t);

  t.test('every route lets in the roles of its table and no other', async (t) => {
    const tokens: [Role, string][] = [];
    for (const role of ROLES) tokens.push([role, (await api.make(role)).token]);
    t.ok(api.routes.length > 20, `${api.routes.length} routes`);
    for (const { method, path, access } of api.routes) {
      const request = `${method} ${path.replace(/:\w+/g, 'nothing')}`;
      const body = method === 'GET' ? undefined : {};
      const least = access === 'open' || access === 'signed' ? 'reader' : access;
      const without = await api.ask(undefined, request, body);
      t.equal(without.status === 401, access !== 'open', `${request} without a token`);
      for (const [role, token] of tokens) {
        const { status, text } = await api.ask(token, request, body);
        const letIn = status !== 401 && status !== 403;
        t.equal(letIn, hasRole(role, least), `${request} as ${role}: ${status}`);
        if (!letIn)
          t.match(text, new RegExp(`this needs the role ${least}; .* has the role ${role}`));
      }
    }
  });

  t.test('the table in docs/security.md is the one that is served', async (t) => {
    const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
    const written = [...page.matchAll(/^\| `((?:GET|PUT|POST|DELETE) \/\S*)` +\| (\S+)/gm)];
    t.strictSame(
      written.map(([, request, access]) => `${request} ${access}`).sort(),
      api.routes.map(({ method, path, access }) => `${method} ${path} ${access}`).sort(),
    );
  });

  t.test('an unknown path is told to those with a token alone', async (t) => {
    const { token } = await api.make('reader');
    t.equal((await api.ask(undefined, 'GET /api/v1/limpet/nowhere')).status, 401);
    t.equal((await api.ask(token, 'GET /api/v1/limpet/nowhere')).status, 404);
  });

  t.test('a revoked token is refused at once, and says so', async (t) => {
    const { id, token } = await api.make('reader', { name: 'monitoring' });
    t.equal((await api.ask(token, `GET ${JOBS}`)).status, 200);
    t.equal((await api.ask(api.admin, `DELETE ${API_TOKENS}/${id}`)).status, 200);
    const { status, text } = await api.ask(token, `GET ${JOBS}`);
    t.equal(status, 401);
    t.match(text, /token 'monitoring' was revoked at 20\d\d-.*; ask an admin for another/);
  });

  t.test('a token without its right secret is nobody’s', async (t) => {
    const { id } = await api.make('admin');
    const { status, text } = await api.ask(`${id}.${'A'.repeat(43)}`, `GET ${JOBS}`);
    t.equal(status, 401);
    t.match(text, /the bearer token is wrong/);
  });

  t.test('the list of tokens shows neither token nor hash', async (t) => {
    const { id, token } = await api.make('operator', { name: 'night-shift', ttlMs: 60_000 });
    const { text } = await api.ask(api.admin, `GET ${API_TOKENS}`);
    const [, secret = ''] = token.split('.');
    t.match(
      text,
      new RegExp(`"id":"${id}","name":"night-shift","role":"operator","state":"active"`),
    );
    t.notMatch(text, secret);
    t.notMatch(text, /sha256|hash/i);
  });

  t.test('a submitter stops what its name submitted; another’s needs an operator', async (t) => {
    const task = { Name: 'main', Engine: { Type: 'wasm', Params: { EntryModule: 'm.wasm' } } };
    const job = (Name: string) => ({ Job: { Name, Type: 'batch', Tasks: [task] } });
    const mine = await api.make('submitter', { name: 'team-a' });
    const again = await api.make('submitter', { name: 'team-a' });
    const other = await api.make('submitter', { name: 'team-b' });
    const operator = await api.make('operator');
    for (const name of ['one', 'two', 'three'])
      t.equal((await api.ask(mine.token, `PUT ${JOBS}`, job(name))).status, 200);
    const refused = await api.ask(other.token, `DELETE ${JOBS}/one`);
    t.equal(refused.status, 403);
    t.match(
      refused.text,
      /was submitted by team-a, not by 'team-b'; stopping it needs the role operator/,
    );
    t.equal((await api.ask(mine.token, `DELETE ${JOBS}/one`)).status, 200);
    t.equal((await api.ask(again.token, `DELETE ${JOBS}/two`)).status, 200, 'a renewed token');
    t.equal((await api.ask(operator.token, `DELETE ${JOBS}/three`)).status, 200);
    t.equal((await api.ask(api.admin, `PUT ${JOBS}`, job('four'))).status, 200);
    t.equal((await api.ask(mine.token, `DELETE ${JOBS}/four`)).status, 403);
  });

  t.test('a wrong order for a token is refused in one line', async (t) => {
    const { status, text } = await api.ask(api.admin, `POST ${API_TOKENS}`, { role: 'root' });
    t.equal(status, 400);
    t.match(text, /token: role: .*expected \{role: reader \| submitter \| operator \| admin/);
  });
});

t.test('tokens outlive a restart, with their ends and last uses', async (t) => {
  const clock = new FakeClock();
  const store = await openMemoryStore();
  const parts = { store, clock, log: silentLog };
  const before = await ApiTokens.load(parts);
  const lasting = await before.create({ name: 'lasting', role: 'reader' });
  await clock.advance(1);
  const short = await before.create({ name: 'short', role: 'admin', ttlMs: 5_000 });
  await clock.advance(1);
  const gone = await before.create({ name: 'gone', role: 'admin' });
  await before.revoke(gone.view.id);
  t.strictSame(before.find(lasting.token), { role: 'reader', name: 'lasting' });
  t.strictSame(before.find(short.token), { role: 'admin', name: 'short' });
  const usedAt = clock.now();
  const { entries } = await store.scan({ prefix: 'api-token/' });
  t.notMatch(JSON.stringify(entries), /lastUsedAt/, 'a use is not written by itself');
  t.notMatch(JSON.stringify(entries), lasting.token.split('.')[1] ?? '', 'no secret is stored');
  await before.close();
  await clock.advance(5_000);
  const after = await ApiTokens.load(parts);
  t.strictSame(after.find(lasting.token), { role: 'reader', name: 'lasting' });
  t.throws(() => after.find(short.token), {
    code: 'unauthorized',
    message: /^token 'short' expired at /,
  });
  t.throws(() => after.find(gone.token), {
    code: 'unauthorized',
    message: /^token 'gone' was revoked at /,
  });
  t.strictSame(
    after.list().map(({ name, state }) => `${name} ${state}`),
    ['lasting active', 'short expired', 'gone revoked'],
  );
  t.equal(after.list()[1]?.lastUsedAt, usedAt);
});
