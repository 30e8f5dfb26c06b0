import { statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { natsServerPath, startNatsServer } from '../kit/nats-server.ts';
import type { Teardown } from '../kit/teardown.ts';
import { RequesterProgram } from './requester/requester-program.ts';

t.setTimeout(120_000);

const skip = natsServerPath() === undefined ? 'needs nats-server' : false;

async function setUp(t: Teardown): Promise<RequesterProgram> {
  const nats = await startNatsServer(t);
  const requester = new RequesterProgram(t, nats.url);
  await requester.start();
  return requester;
}

/** fetch does not let a caller choose Host. */
function statusFor(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${url}/api/v1/agent/alive`, { headers, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .once('error', reject)
      .end();
  });
}

t.test('the API', { skip }, async (t) => {
  const requester = await setUp(t);

  t.test('refuses a foreign Origin or Host, whatever the path', async (t) => {
    t.equal(await statusFor(requester.url, {}), 200);
    t.equal(await statusFor(requester.url, { origin: 'http://evil.example' }), 403);
    t.equal(await statusFor(requester.url, { origin: 'null' }), 403);
    t.equal(await statusFor(requester.url, { host: 'evil.example:1234' }), 403);
    t.equal(await statusFor(requester.url, { origin: 'http://localhost:5173' }), 200);
  });

  t.test('needs the token, which only its owner can read', async (t) => {
    t.match(await requester.call('GET', '/orchestrator/jobs', undefined, { authorization: '' }), {
      status: 401,
    });
    t.match(
      await requester.call('GET', '/orchestrator/jobs', undefined, {
        authorization: 'Bearer wrong',
      }),
      {
        status: 401,
        body: { Code: 'Unauthorized' },
      },
    );
    t.equal(statSync(join(requester.folder, 'token')).mode & 0o777, 0o600);
    const auth = await requester.call('GET', '/auth', undefined, { authorization: '' });
    t.same(auth.body, { NextToken: '', Methods: {} });
  });

  t.test('answers an unknown key with a warning and keeps times exact', async (t) => {
    const tasks = [{ name: 'main', engine: { type: 'wasm', extra: 1 } }];
    const sent = await requester.call('POST', '/orchestrator/jobs', {
      job: { name: 'warned', type: 'batch', tasks, Version: 3 },
    });
    t.match(sent, { status: 200 });
    t.match(
      sent.text,
      /"Warnings":\["job version is ignored when submitting a job","unknown key Tasks\[0\]\.Engine\.extra/,
    );
    const { text } = await requester.call('GET', '/orchestrator/jobs/warned');
    t.match(text, /"CreateTime":\d{13}000000,/);
    t.match(text, /"StateType":"Queued","Message":"no node has registered yet"/);
  });

  t.test('refuses what it cannot do in one line each', async (t) => {
    const bad = async (more: Readonly<Record<string, unknown>>, name = 'bad') =>
      (await requester.submit(name, more)).body;
    t.match(await bad({ Type: 'service', Disconnect: { StopAfter: '24h' } }), {
      Status: 400,
      Message: /^Disconnect\.StopAfter is 86400s; expected /,
    });
    t.match(await bad({ Count: 'three' }), {
      Status: 400,
      Message: /^Count is "three"; expected /,
    });
    t.match(await bad({}, 'warned'), {
      Status: 409,
      Message: /job 'warned' is queued as j-.*; stop it first/,
    });
    const big = [
      { Name: 'main', Engine: { Type: 'wasm', Params: { Input: 'x'.repeat(800_000) } } },
    ];
    t.match(await bad({ Tasks: big }), {
      Status: 413,
      Message: /the task takes \d+ bytes, and a node is told at most 716800; .* local source/,
    });
    const huge = [
      { Name: 'main', Engine: { Type: 'wasm', Params: { Input: 'x'.repeat(11 * 1024 * 1024) } } },
    ];
    t.match(await bad({ Tasks: huge }), { Status: 413, Message: /larger than 10485760 bytes/ });
    t.match(await requester.call('GET', '/orchestrator/jobs/nobody'), {
      status: 404,
      body: { Message: 'job not found: nobody' },
    });
    t.match(await requester.call('GET', '/nowhere'), { status: 404, body: { Code: 'NotFound' } });
  });

  t.test('pages through jobs and history by the token', async (t) => {
    for (const name of ['p1', 'p2', 'p3'])
      await requester.submit(name, { Labels: { page: 'yes' } });
    const names: string[] = [];
    let token = '';
    do {
      const { text } = await requester.call(
        'GET',
        `/orchestrator/jobs?labels=page%3Dyes&limit=2&next_token=${token}`,
      );
      names.push(...[...text.matchAll(/"Name":"(p\d)"/g)].map(([, name]) => name ?? ''));
      token = /"NextToken":"([^"]*)"/.exec(text)?.[1] ?? '';
    } while (token !== '');
    t.strictSame(names, ['p1', 'p2', 'p3']);
    const history = (query: string) =>
      requester.call('GET', `/orchestrator/jobs/p1/history?event_type=all&${query}`);
    const next = /"NextToken":"([^"]+)"/.exec((await history('limit=10')).text)?.[1] ?? '';
    const { body } = await history(`limit=10&next_token=${next}`);
    t.same(body, { NextToken: next, Items: [] }, 'more may come');
    await requester.call('DELETE', '/orchestrator/jobs/p1');
    const last = await history(`limit=10&next_token=${next}`);
    t.match(last.body, { NextToken: '' });
    t.match(last.text, /Job requested to stop before completion/);
  });

  t.test('a second one on the same data folder is refused in one line', async (t) => {
    const second = await requester.launch();
    t.match(await second.waitForExit(20_000), { code: 1 });
    t.match(second.stderr, /^requester: the store in .* is in use by another process.*\n$/);
  });

  t.test('SIGTERM stops it cleanly and takes endpoint.json away', async (t) => {
    requester.program.signal('SIGTERM');
    t.strictSame(await requester.program.waitForExit(), { code: 0, signal: null });
    t.throws(() => statSync(join(requester.folder, 'endpoint.json')));
  });
});
