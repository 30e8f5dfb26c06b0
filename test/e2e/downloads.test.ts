/** `urlDownload` through a real agent: servers with TLS, servers that misbehave, and an end in the middle of a download. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { issueServer, makeAuthority } from '../../adapters/authority/certificate.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { fileServer } from '../kit/file-server.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import type { JsonObject } from '../kit/test-agent.ts';

t.setTimeout(240_000);

const BODY = 'what was asked for\n';
const SLOW_MS = 60_000;
const validity = { from: Date.now(), until: Date.now() + 86_400_000 };

/** Of /slow/NAME: those that go on are there. */
const slow = new Map<string, ServerResponse>();
const released = new Set<string>();
const plain = await fileServer(t, {
  '/file': (r) => r.end(BODY),
  '/slow/kept': trickle('kept'),
  '/slow/stopped': trickle('stopped'),
  '/slow/left': trickle('left'),
  '/hangs': (r) => r.writeHead(200, { 'content-length': 100 }).flushHeaders(),
  '/fewer': (r) => r.writeHead(200, { 'content-length': 100 }).write('half', () => r.socket?.end()),
  '/cut-chunk': (r) => r.writeHead(200).write('half', () => r.socket?.end()),
  '/more': (r) =>
    r.socket?.end(`HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\n${BODY}`),
  '/wrong': (r) => r.end(BODY.toUpperCase()),
});

const [own, other] = [await makeAuthority('own', validity), await makeAuthority('other', validity)];
const answers = {
  '/file': (r: ServerResponse) => r.end(BODY),
  '/moved': (r: ServerResponse) => r.writeHead(302, { location: '/file' }).end(),
  '/down': (r: ServerResponse) => r.writeHead(302, { location: `${plain.url}/file` }).end(),
};
const secure = await fileServer(t, answers, await issueServer(own, ['127.0.0.1'], validity));
const strange = await fileServer(t, answers, await issueServer(other, ['127.0.0.1'], validity));
const misnamed = await fileServer(t, answers, await issueServer(own, ['else.example'], validity));

const cluster = await startCluster(t);
const caFile = join(cluster.folder, 'ca.pem');
writeFileSync(caFile, own.certificate);
const agent = cluster.addAgent({
  executors: { docker: { enabled: false }, wasm: { enabled: false }, process: { enabled: true } },
  urlDownload: { allow: ['127.0.0.1'], caFile, attempts: 2, retryMs: 100, idleMs: 3_000 },
});
await agent.start();

/** Begins with half of the body, then goes on by a byte at a time, until the name is released. */
function trickle(name: string): (response: ServerResponse) => void {
  return (response) => {
    if (released.has(name)) {
      response.end(BODY);
      return;
    }
    slow.set(name, response);
    response.write(BODY.slice(0, 9));
    const timer = setInterval(() => response.write('.'), 50);
    const end = setTimeout(() => response.end(), SLOW_MS);
    response.once('close', () => {
      clearInterval(timer);
      clearTimeout(end);
    });
  };
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function ledgerOf(name: string): string {
  return join(cluster.folder, `${name}.ledger`);
}

/** A job that writes a line into its ledger and shows its inputs, in order. */
function job(name: string, sources: readonly JsonObject[]): JsonObject {
  const InputSources = sources.map((Params, i) => ({
    ...{ Source: { Type: 'urlDownload', Params }, Target: `/in/${i}` },
  }));
  return batchJob(processTask(`echo started >> ${ledgerOf(name)}; cat in/*/*`, { InputSources }));
}

function starts(name: string): number {
  const ledger = ledgerOf(name);
  return existsSync(ledger) ? readFileSync(ledger, 'utf8').split('\n').length - 1 : 0;
}

/** Of everything below the inputs of this node. */
function staged(): string[] {
  const folder = join(agent.folder, 'inputs');
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
}

async function nothingIsLeft(): Promise<void> {
  await agent.hasNo('executions');
  await eventually('no inputs to be left', () => {
    if (staged().length > 0) throw new Error(staged().join());
    return true;
  });
}

/** Submits it, and waits until half of its download is on the disk; answers the job. */
async function halfWay(name: string, before: readonly JsonObject[] = []): Promise<string> {
  const id = await cluster.submit(job(name, [...before, { URL: `${plain.url}/slow/${name}` }]));
  const execution = await cluster.execution(id);
  const partial = join(agent.folder, 'inputs', execution.id, `${before.length}.partial`, name);
  await eventually('half of it', () => statSync(partial).size > 0, 30_000);
  return id;
}

interface Refused {
  readonly name: string;
  readonly source: JsonObject;
  readonly reason: RegExp;
  /** How often the server is asked; 0: it is nothing that a server hears of. */
  readonly asked: number;
}

/** All at once. */
async function areRefused(t: Test, cases: readonly Refused[]): Promise<void> {
  const ended = cases.map(async ({ name, source, reason }) => {
    const id = await cluster.submit(job(name, [source]));
    const { state } = await cluster.ended(id, 60_000);
    const { outcome, startedAt } = await cluster.execution(id);
    t.equal(state, 'Failed', name);
    t.equal(outcome?.by, 'refused', name);
    t.match(outcome?.reason, reason, name);
    t.equal(startedAt, undefined, name);
    t.equal(starts(name), 0, name);
  });
  await Promise.all(ended);
  await nothingIsLeft();
  const servers = [plain, secure, strange, misnamed];
  for (const { name, source, asked } of cases) {
    const url = String(source['URL']);
    const server = servers.find((one) => url.startsWith(one.url));
    const times = server?.asked.filter((path) => url === `${server.url}${path}`).length;
    t.equal(times, asked, `${name} is asked for ${asked} times`);
  }
}

t.test('a server is believed when the authority of the operator has certified it', async (t) => {
  const id = await cluster.submit(
    job('secure', [{ URL: `${secure.url}/file` }, { URL: `${secure.url}/moved` }]),
  );
  t.equal((await cluster.ended(id)).state, 'Completed');
  t.equal(await cluster.log(id), BODY + BODY);
});

t.test('another authority, another name and a way out of https are refused', async (t) => {
  await areRefused(t, [
    {
      name: 'another-authority',
      source: { URL: `${strange.url}/file` },
      reason: /unable to verify the first certificate|self.signed|local issuer/,
      asked: 0,
    },
    {
      name: 'another-name',
      source: { URL: `${misnamed.url}/file` },
      reason: /does not match certificate's altnames|is not in the cert's list/,
      asked: 0,
    },
    {
      name: 'down',
      source: { URL: `${secure.url}/down` },
      reason:
        /\/down redirects from https to http:\/\/127\.0\.0\.1:\d+\/file, which is not encrypted$/,
      asked: 1,
    },
  ]);
  t.notOk(plain.asked.includes('/file'), 'nothing was asked for without TLS');
});

t.test('what a server does not give, or gives otherwise, never reaches a run', async (t) => {
  const twice = { asked: 2 };
  const given = (reason: string): RegExp => new RegExp(`given up after 2 attempts: .*${reason}$`);
  await areRefused(t, [
    {
      ...{ name: 'hangs', source: { URL: `${plain.url}/hangs` }, ...twice },
      reason: given('silent for 3000 ms'),
    },
    {
      ...{ name: 'fewer', source: { URL: `${plain.url}/fewer` }, ...twice },
      reason: given('the connection was broken off'),
    },
    {
      ...{ name: 'cut-chunk', source: { URL: `${plain.url}/cut-chunk` }, ...twice },
      reason: given('the connection was broken off'),
    },
    {
      ...{ name: 'more', source: { URL: `${plain.url}/more`, Checksum: sha256(BODY) }, asked: 1 },
      reason: new RegExp(`has the checksum ${sha256(BODY.slice(0, 4))}; expected`),
    },
    {
      ...{ name: 'wrong', source: { URL: `${plain.url}/wrong`, Checksum: sha256(BODY) }, asked: 1 },
      reason: new RegExp(`has the checksum ${sha256(BODY.toUpperCase())}; expected`),
    },
  ]);
});

t.test('what comes after the promised length is none of the file', async (t) => {
  const id = await cluster.submit(job('promised', [{ URL: `${plain.url}/more` }]));
  t.equal((await cluster.ended(id)).state, 'Completed');
  t.equal(await cluster.log(id), BODY.slice(0, 4));
});

t.test('a job that is stopped in the middle of a download ends, and nothing is left', async (t) => {
  const id = await halfWay('stopped');
  await cluster.stop(id);
  t.equal((await cluster.ended(id)).state, 'Stopped');
  await eventually('the connection to be let go of', () => slow.get('stopped')?.destroyed);
  await nothingIsLeft();
  t.equal(starts('stopped'), 0);
  t.equal((await cluster.execution(id)).startedAt, undefined);
});

t.test(
  'an agent that is killed in the middle of a download gets it whole afterwards, and starts the run once',
  async (t) => {
    const id = await halfWay('kept', [{ URL: `${plain.url}/wrong` }]);
    const before = plain.asked.length;
    await agent.kill();
    t.ok(
      staged().some((path) => path.endsWith('1.partial/kept')),
      'half of it lies there',
    );
    released.add('kept');
    await agent.start();
    t.equal((await cluster.ended(id)).state, 'Completed');
    t.equal(await cluster.log(id), BODY.toUpperCase() + BODY);
    t.strictSame(
      plain.asked.slice(before),
      ['/slow/kept'],
      'what was whole is not asked for again',
    );
    t.equal(starts('kept'), 1);
    const { id: execution, run } = await cluster.execution(id);
    t.equal(run, 0);
    const history = await agent.history(execution);
    t.equal(history.filter(({ to }) => to === 'running').length, 1);
    await nothingIsLeft();
  },
);

t.test(
  'a job that is stopped while its agent is dead, half-way through a download, is never run',
  async (t) => {
    const id = await halfWay('left');
    await agent.kill();
    await cluster.stop(id);
    await agent.start();
    t.equal((await cluster.endedExecution(id)).state, 'cancelled');
    await eventually('the connection to be let go of', () => slow.get('left')?.destroyed);
    await nothingIsLeft();
    t.equal(starts('left'), 0);
  },
);
