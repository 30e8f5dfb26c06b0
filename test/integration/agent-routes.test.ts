/** The agent's socket, as a client meets it. */
import { statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { listenLocal } from '../../agent/api/local-api.ts';
import type { Route } from '../../agent/api/routes.ts';
import { LimpetError } from '../../core/errors.ts';
import { tempDir } from '../kit/temp-dir.ts';

const cyclic: Record<string, unknown> = {};
cyclic['itself'] = cyclic;

const routes: readonly Route[] = [
  { method: 'GET', path: '/things', answer: () => ({ json: { things: [] } }) },
  {
    method: 'GET',
    path: '/things/:id/parts',
    answer: (one) => ({ json: { id: one.param('id') }, status: 503 }),
  },
  { method: 'POST', path: '/things', answer: async (one) => ({ json: { got: await one.json() } }) },
  { method: 'GET', path: '/text', answer: () => ({ text: 'häuser\n' }) },
  { method: 'GET', path: '/cyclic', answer: () => ({ json: cyclic }) },
  {
    method: 'GET',
    path: '/refused',
    answer: () => {
      throw new LimpetError('invalid-id', 'no such id');
    },
  },
];

void t.test('the socket of the agent', async (t) => {
  const socketPath = join(tempDir(t), 'a.sock');
  const close = await listenLocal(routes, socketPath);
  const ask = (method: string, path: string, body = '') =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const call = request({ socketPath, method, path, timeout: 10_000 }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => {
          resolve({ status: answer.statusCode, text });
        });
      });
      call.on('error', reject).end(body);
    });

  t.equal(statSync(socketPath).mode & 0o777, 0o600, 'it is for its user alone');
  t.same(await ask('GET', '/things?x=1'), { status: 200, text: '{"things":[]}' });
  t.same(await ask('GET', '/things/a%2Fb/parts'), { status: 503, text: '{"id":"a/b"}' });
  t.same(await ask('POST', '/things', '{"a":1}'), { status: 200, text: '{"got":{"a":1}}' });
  t.same(await ask('POST', '/things', '{'), { status: 200, text: '{}' }, 'what is no JSON is none');
  t.same(await ask('GET', '/text'), { status: 200, text: 'häuser\n' });
  t.match(await ask('POST', '/text'), { status: 404, text: /not-found.*no POST \/text/ });
  t.match(await ask('GET', '/things//parts'), { status: 404 }, 'a name is never empty');
  t.match(await ask('GET', '/things/%/parts'), { status: 400, text: /invalid-argument/ });
  t.match(await ask('GET', '/refused'), { status: 400, text: /invalid-id.*no such id/ });
  t.match(await ask('GET', '/cyclic'), { status: 500, text: /"code"/ });
  t.match(await ask('POST', '/things', 'x'.repeat(70_000)), { status: 400, text: /too long/ });

  await close();
  await t.rejects(ask('GET', '/things'), { code: 'ENOENT' });
});
