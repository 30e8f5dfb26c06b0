/** Params of a job against what nodes say that their executors take: refused at submission, by the path. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { z } from 'zod';
import type { ExecutorInfo } from '../../wire/messages.ts';
import { eventually } from '../kit/eventually.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { oneAgent } from './requester/one-agent.ts';
import { ScriptedAgent } from './requester/scripted-agent.ts';
import type { RequesterProgram } from './requester/requester-program.ts';

t.setTimeout(240_000);

const skip = natsServerSkip();
const FIRST = {
  type: 'object',
  properties: { EntryModule: { type: 'string', minLength: 1 }, Times: { type: 'integer' } },
  required: ['EntryModule'],
  additionalProperties: false,
};
const SECOND = { ...FIRST, properties: { ...FIRST.properties, Speed: { type: 'number' } } };
const KNOWN = 'expected one of EntryModule, Times';
const AT = 'Tasks[0].Engine.Params';

function takes(schema: unknown, health: ExecutorInfo['health'] = 'healthy') {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  const paramsSchema = createHash('sha256').update(text).digest('hex');
  const executor = { name: 'wasm', version: '1', health, reason: '', paramsSchema };
  return { executors: [{ ...executor, recovery: 'complete' as const }], schemas: [text] };
}

const errorSchema = z.object({ Status: z.number(), Code: z.string(), Message: z.string() });
let names = 0;

async function submit(requester: RequesterProgram, Params: unknown, Type = 'wasm') {
  const name = `params-${++names}`;
  const reply = await requester.submit(name, {
    Tasks: [{ Name: 'main', Engine: { Type, Params } }],
  });
  const error = errorSchema.safeParse(reply.body);
  const said = error.success ? `${error.data.Status} ${error.data.Code} ${error.data.Message}` : '';
  return { name, status: reply.status, said };
}

/** The node has beaten, with what it says now, and was answered. */
async function heard(agent: ScriptedAgent): Promise<void> {
  const before = agent.heartbeats.length;
  await eventually('two heartbeats', () => agent.heartbeats.length >= before + 2);
}

const shown = z.object({
  Node: z.object({
    Limpet: z.object({
      Executors: z.array(
        z.object({
          ParamsSchema: z.unknown().optional(),
          ParamsSchemaProblem: z.string().optional(),
        }),
      ),
    }),
  }),
});

async function executorOf(requester: RequesterProgram) {
  const { body } = await requester.call('GET', '/orchestrator/nodes/n-one');
  return shown.parse(body).Node.Limpet.Executors[0];
}

t.test('params that no node takes are refused, with path and word', { skip }, async (t) => {
  const { requester, agent, natsUrl } = await oneAgent(t, { behaviour: 'complete' });

  await t.test('a node without a schema takes anything', async (t) => {
    t.equal((await submit(requester, { Comand: 1 })).status, 200);
  });

  agent.executorsSay = takes(FIRST);
  await heard(agent);
  await t.test('each mistake is told in one line', async (t) => {
    for (const [params, message] of [
      [{ EntryModul: 'm' }, `${AT}.EntryModul: unknown; ${KNOWN}; did you mean EntryModule?`],
      [{ EntryModule: 7 }, `${AT}.EntryModule: found the number 7; expected a text`],
      [{}, `${AT}.EntryModule: missing; expected a text`],
      [{ EntryModule: 'm', Times: 'a' }, `${AT}.Times: found "a"; expected a whole number`],
      [{ EntryModule: 'm', zzzzzzzz: 1 }, `${AT}.zzzzzzzz: unknown; ${KNOWN}`],
      [
        { entrymodule: 'm', EntryModule: 'm' },
        `${AT}.EntryModule: is there twice, as entrymodule too`,
      ],
    ] as const) {
      const { said } = await submit(requester, params);
      t.equal(said, `400 ValidationError ${message}`);
    }
  });

  await t.test('keys in another case are the same keys', async (t) => {
    const { name, status } = await submit(requester, { ENTRYMODULE: 'm', times: 2 });
    t.equal(status, 200);
    await requester.jobIs(name, 'Completed');
  });

  await t.test('an engine that no node has is waited for, whatever its params', async (t) => {
    const { name, status } = await submit(requester, { What: 'ever' }, 'firecracker');
    t.equal(status, 200);
    await requester.jobIs(name, 'Queued');
  });

  await t.test('a check says the same, and takes nothing', async (t) => {
    const validate = (Params: unknown, Type = 'wasm') =>
      requester.call('POST', '/limpet/jobs/validate', {
        Job: { Name: 'checked', Type: 'batch', Tasks: [{ Name: 'm', Engine: { Type, Params } }] },
      });
    t.strictSame((await validate({ EntryModule: 'm' })).body, {
      Warnings: null,
      ParamsChecked: true,
    });
    t.equal((await validate({})).status, 400);
    t.strictSame((await validate({}, 'none')).body, {
      Warnings: null,
      ParamsChecked: false,
      Reason: 'no node with an executor none is known',
    });
    t.equal((await requester.call('GET', '/orchestrator/jobs/checked')).status, 404);
  });

  await t.test('what executors take is shown', async (t) => {
    t.strictSame((await executorOf(requester))?.ParamsSchema, FIRST);
    const { body } = await requester.call('GET', '/limpet/engines');
    t.strictSame(body, { Engines: [{ Type: 'wasm', Nodes: ['n-one'], Schemas: [FIRST] }] });
  });

  await t.test('an executor that is away keeps its schema, also over a start', async (t) => {
    const [away] = takes(FIRST, 'unhealthy').executors;
    if (away === undefined) throw new Error('no executor');
    const { paramsSchema: _, ...bare } = away;
    agent.executorsSay = { executors: [bare] };
    await heard(agent);
    t.match((await submit(requester, {})).said, /^400 .*missing/);
    agent.silent = true;
    await requester.program.kill('SIGKILL');
    await requester.start();
    t.match((await submit(requester, {})).said, /^400 .*missing/, 'nobody has told it again');
    agent.silent = false;
    await heard(agent);
    t.match((await submit(requester, {})).said, /^400 .*missing/);
  });

  await t.test('an upgraded plugin is judged by its new schema at once', async (t) => {
    agent.executorsSay = takes({ type: 'object', properties: { Other: {} }, required: ['Other'] });
    await heard(agent);
    t.equal(
      (await submit(requester, { EntryModule: 'm' })).said,
      `400 ValidationError ${AT}.Other: missing`,
    );
    t.equal((await submit(requester, { Other: 'm' })).status, 200);
  });

  await t.test('one of two versions is enough, and only its node gets the work', async (t) => {
    agent.executorsSay = takes(FIRST);
    const other = await ScriptedAgent.start(t, { natsUrl, nodeId: 'n-two', behaviour: 'complete' });
    other.executorsSay = takes(SECOND);
    await eventually('the handshake', () => other.session);
    await heard(agent);
    await heard(other);
    const before = agent.placements.length;
    for (let i = 0; i < 4; i++) {
      const { name, status } = await submit(requester, { EntryModule: 'm', Speed: 1.5 });
      t.equal(status, 200);
      await requester.jobIs(name, 'Completed');
    }
    t.equal(agent.placements.length, before, 'the older version is not asked');
    const refused = await submit(requester, { EntryModule: 'm', Sped: 1.5 });
    t.match(refused.said, 'Sped: unknown');
    t.match(refused.said, '; 1 other versions of this executor refuse it for other reasons');
    await other.stop();
    await eventually('the node to be away', async () => {
      const { text } = await requester.call('GET', '/orchestrator/nodes/n-two');
      return text.includes('"Connection":"DISCONNECTED"');
    });
    const waiting = await submit(requester, { EntryModule: 'm', Speed: 1.5 });
    t.equal(waiting.status, 200, 'the node that takes it is away, and known');
    await eventually('the queue to say why', async () => {
      const { Job } = await requester.job(waiting.name);
      return Job.State.Message.includes(
        `n-one params refused by its executor: ${AT}.Speed: unknown; ${KNOWN}`,
      );
    });
  });
});

/** Exponential in what it is asked, or in itself. */
const RUNAWAY = JSON.stringify({ properties: { a: { pattern: '^(a+)+$' } } });
const TREE = JSON.stringify({
  $ref: '#/$defs/a0',
  $defs: {
    ...Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => {
        const next = { $ref: `#/$defs/a${i + 1}` };
        return [`a${i}`, { anyOf: [next, next] }];
      }),
    ),
    a40: { type: 'string' },
  },
});
const DEEP = `${'{"not":'.repeat(7_000)}{}${'}'.repeat(7_000)}`;
const LARGE = JSON.stringify({ description: 'x'.repeat(70_000), required: ['a'] });

t.test('no schema of a node hangs or ends the requester', { skip }, async (t) => {
  const { requester, agent } = await oneAgent(t, { behaviour: 'complete' });
  const params = { a: `${'a'.repeat(40)}!` };
  for (const [what, text, problem] of [
    ['a pattern that runs away', RUNAWAY, /^checking against it takes longer/],
    ['a tree of references', TREE, /^checking against it takes longer/],
    ['one that refers to itself', '{"$ref":"#"}', /^checking against it does not come to an end/],
    ['one that refers to others', '{"$ref":"http://127.0.0.1:9/s"}', /can't resolve reference/],
    ['an asynchronous one', '{"$async":true,"required":["x"]}', /has a key \$async/],
    ['prototype keys', '{"properties":{"__proto__":{"type":"null"}}}', /has a key __proto__/],
    ['a deep one', DEEP, /nested deeper than/],
    ['a wrong one', '{"type":"strnig"}', /is no JSON Schema/],
    ['a wrong pattern', '{"properties":{"a":{"pattern":"("}}}', /Invalid regular expression/],
    ['no JSON', '{', /is no JSON/],
  ] as const) {
    agent.executorsSay = takes(text);
    await heard(agent);
    const began = performance.now();
    for (let i = 0; i < 4; i++) t.equal((await submit(requester, params)).status, 200, what);
    t.ok(
      performance.now() - began < 30_000,
      `${what}: ${Math.round(performance.now() - began)} ms`,
    );
    const executor = await executorOf(requester);
    t.match(executor?.ParamsSchemaProblem, problem, what);
    t.equal(executor?.ParamsSchema, undefined);
  }

  agent.executorsSay = takes(LARGE);
  await heard(agent);
  t.equal((await submit(requester, params)).status, 200, 'a large one is not kept');
  t.equal((await executorOf(requester))?.ParamsSchema, undefined);

  agent.executorsSay = takes({
    properties: { toString: { type: 'string' } },
    required: ['valueOf'],
  });
  await heard(agent);
  t.match((await submit(requester, {})).said, 'Params.valueOf: missing', 'own keys count only');

  agent.executorsSay = takes(FIRST);
  await heard(agent);
  t.match((await submit(requester, {})).said, 'EntryModule: missing', 'and it still works');
});

t.test('a node that may not work here has no say in what is refused', { skip }, async (t) => {
  const { requester, agent } = await oneAgent(t, { behaviour: 'complete' });
  agent.executorsSay = takes(FIRST);
  await heard(agent);
  t.equal((await submit(requester, {})).status, 400);
  const order = { Action: 'reject', Message: 'sold' };
  t.equal((await requester.call('PUT', '/orchestrator/nodes/n-one', order)).status, 200);
  t.equal((await submit(requester, {})).status, 200, 'it waits, as with no node');
});
