import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { create } from 'tar';
import t from 'tap';
import { z } from 'zod';
import { tempDir } from '../kit/temp-dir.ts';
import { fakeRequester } from './cli-fake-requester.ts';
import { EXECUTION, JOB, limpet } from './cli-run.ts';

t.setTimeout(240_000);

const asSchema = (value: unknown) => z.record(z.string(), z.unknown()).parse(value);

const listed = {
  json: `{"NextToken":"","Items":[
    {"ID":"${JOB}","Name":"hello","Type":"batch","Tasks":[],"State":{"StateType":"Running"},"CreateTime":1776500000000000001},
    {"ID":"j-0193d5a0-2222-7000-8000-0000aabb0000","Name":"other","Type":"batch","Tasks":[],"State":{"StateType":"Running"}}
  ]}`,
};

t.test('ids match by a beginning or an end, names whole', async (t) => {
  const requester = await fakeRequester(t, {
    'GET /orchestrator/jobs': listed,
    [`DELETE /orchestrator/jobs/${JOB}`]: [
      { json: { EvaluationID: 'v' } },
      { json: { EvaluationID: '' } },
    ],
  });
  const byEnd = await limpet(t, requester, ['job', 'stop', 'ccdd', '--reason', 'enough']);
  t.equal(byEnd.stdout, 'job aabbccdd is stopping\n');
  t.same(requester.seen.at(-1)?.body, { reason: 'enough' });
  const byName = await limpet(t, requester, ['job', 'stop', 'hello']);
  t.equal(byName.stdout, 'job aabbccdd was stopped already\n');
  const both = await limpet(t, requester, ['job', 'describe', 'j-0193']);
  t.equal(both.code, 1);
  t.equal(both.stderr, "error: 'j-0193' matches 2 jobs: aabbccdd, aabb0000; type more of the id\n");
  const none = await limpet(t, requester, ['job', 'describe', 'zzz']);
  t.equal(none.stderr, "error: no job matches 'zzz'; see `limpet job list`\n");
});

t.test('job list -o json keeps every digit of a time', async (t) => {
  const requester = await fakeRequester(t, { 'GET /orchestrator/jobs': listed });
  const { stdout } = await limpet(t, requester, ['job', 'list', '-o', 'json']);
  t.match(stdout, /"CreateTime": 1776500000000000001\b/);
});

t.test('job schema has what the nodes told, every digit of a bound too', async (t) => {
  const count = '{"type":"integer","maximum":9007199254740991}';
  const params = `{"type":"object","properties":{"Count":${count}},"required":["Count"]}`;
  const requester = await fakeRequester(t, {
    'GET /limpet/engines': {
      json: `{"Engines":[{"Type":"count","Nodes":["n-a"],"Schemas":[${params}]}]}`,
    },
  });
  const { code, stdout, stderr } = await limpet(t, requester, ['job', 'schema']);
  t.strictSame([code, stderr], [0, '']);
  t.match(stdout, /"maximum": 9007199254740991\b/);
  const takes = new Ajv2020({ strict: false }).compile(asSchema(JSON.parse(stdout)));
  const job = (Engine: object) => ({ Type: 'batch', Tasks: [{ Name: 'main', Engine }] });
  t.equal(takes(job({ Type: 'count', Params: { Count: 1 } })), true);
  t.equal(takes(job({ Type: 'count' })), false, 'an editor tells that its params are missing');
  t.equal(takes(job({ Type: 'other' })), true);
});

t.test('node describe tells of each executor, and names that are not there', async (t) => {
  const id = 'n-0193d5a0-1111-7000-8000-0000deadbeef';
  const node = { Info: { NodeID: id, NodeType: 'Compute' }, Membership: 'APPROVED' };
  const problem = 'it is no JSON Schema';
  const flaky = { name: 'flaky', health: 'unhealthy', reason: 'it ended', recovery: 'complete' };
  const odd = { name: 'odd', health: 'healthy', version: '2', ParamsSchemaProblem: problem };
  const requester = await fakeRequester(t, {
    'GET /orchestrator/nodes': { json: { Nodes: [{ ...node, Connection: 'CONNECTED' }] } },
    [`GET /orchestrator/nodes/${id}`]: {
      json: { Node: { ...node, Connection: 'CONNECTED', Limpet: { Executors: [flaky, odd] } } },
    },
  });
  const { stdout } = await limpet(t, requester, ['node', 'describe', 'beef']);
  t.match(stdout, /^flaky +unhealthy +complete +it ended$/m);
  t.match(
    stdout,
    /^odd +healthy +2 +its schema of task params is not used: it is no JSON Schema$/m,
  );
  const json = await limpet(t, requester, ['node', 'describe', 'beef', '-o', 'json']);
  t.match(json.stdout, `"ParamsSchemaProblem": "${problem}"`);
  const none = await limpet(t, requester, ['node', 'describe', 'n-none']);
  t.strictSame(
    [none.code, none.stderr],
    [1, "error: no node matches 'n-none'; see `limpet node list`\n"],
  );
});

t.test('job get unpacks the results into a new folder', async (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'made', 'outputs'), { recursive: true });
  writeFileSync(join(folder, 'made', 'stdout'), 'hello\n');
  writeFileSync(join(folder, 'made', 'outputs', 'count'), '42\n');
  await create({ gzip: true, cwd: join(folder, 'made'), file: join(folder, 'a.tar.gz') }, ['.']);
  const archive = readFileSync(join(folder, 'a.tar.gz'));
  const url = `/api/v1/limpet/executions/${EXECUTION}/result.tar.gz`;
  const requester = await fakeRequester(t, {
    [`GET /orchestrator/jobs/${JOB}/results`]: {
      json: { NextToken: '', Items: [{ Type: 'urlDownload', Params: { URL: `${url}?sig=x` } }] },
    },
    [`GET /limpet/executions/${EXECUTION}/result.tar.gz`]: [
      { bytes: archive },
      { bytes: archive.subarray(0, 100) },
    ],
  });
  const target = join(folder, 'got');
  const got = await limpet(t, requester, ['job', 'get', JOB, '--output-dir', target]);
  t.equal(got.stderr, '');
  t.equal(got.stdout, `results in ${target}:\n  outputs/count\n  stdout\n`);
  t.equal(readFileSync(join(target, 'outputs', 'count'), 'utf8'), '42\n');
  const again = await limpet(t, requester, ['job', 'get', JOB, '--output-dir', target]);
  t.equal(again.code, 1);
  t.match(again.stderr, /^error: .* is there already; choose another with --output-dir\n$/);
  const torn = await limpet(t, requester, [
    'job',
    'get',
    JOB,
    '--output-dir',
    join(folder, 'torn'),
  ]);
  t.equal(torn.code, 1);
  t.match(torn.stderr, /^error: the results could not be fetched: .*\n$/);
});

t.test('every refusal is one line', async (t) => {
  const refuse = (status: number, Message: string, Hint?: string) => ({
    status,
    json: { Status: status, Message, Code: 'x', Component: 'y', RequestID: '', Hint },
  });
  const requester = await fakeRequester(t, {
    'GET /orchestrator/jobs': [
      refuse(500, 'it broke\nbadly', 'try later'),
      refuse(401, 'unauthorized'),
      { json: '<html>' },
      { json: { Items: 'none' } },
    ],
  });
  const list = async () => limpet(t, requester, ['job', 'list']);
  t.equal((await list()).stderr, 'error: it broke badly; try later\n');
  t.match(
    (await list()).stderr,
    /^error: http:\S+ does not accept this token: unauthorized; set LIMPET_TOKEN\n$/,
  );
  t.match(
    (await list()).stderr,
    /^error: http:\S+ did not answer with JSON; is it a requester\?\n$/,
  );
  t.match(
    (await list()).stderr,
    /^error: http:\S+ answered GET orchestrator\/jobs in an unknown form: Items: .*\n$/,
  );
  const gone = await limpet(t, { url: 'http://127.0.0.1:1' }, ['job', 'list']);
  t.equal(gone.code, 1);
  t.equal(
    gone.stderr,
    'error: no requester answers at http://127.0.0.1:1: connection refused; start one with `limpet dev`, or name another with --api\n',
  );
});
