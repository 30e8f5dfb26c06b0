/** A job's log over HTTP, each form of it, with real programs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findEndpoint } from '../../cli/api/endpoint.ts';
import { parseLogPosition } from '../../wire/log-position.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { batchJob, processTask } from '../kit/job-specs.ts';
import { eventsOf, FramesReader, open, SocketReader, whole, type Place } from './readers.ts';

t.setTimeout(240_000);

const PROCESS = {
  executors: { docker: { enabled: false }, wasm: { enabled: false }, process: { enabled: true } },
};
/** All bytes that there are, NUL and newline too, and none at the end. */
const BINARY = Buffer.from(Array.from({ length: 256 * 40 }, (_, i) => (i * 7 + 3) & 255));

t.test('the log of a job over HTTP', async (t) => {
  const cluster = await startCluster(t);
  const agent = cluster.addAgent(PROCESS);
  await agent.start();
  const place = (): Place => {
    const { url, token = '' } = findEndpoint({ LIMPET_DATA: cluster.folder });
    return { url, token };
  };
  const file = (name: string): string => join(cluster.folder, name);
  const run = async (script: string, job: Readonly<Record<string, unknown>> = {}) => {
    const id = await cluster.submit(batchJob(processTask(script), job));
    return { id, logs: `limpet/jobs/${id}/logs` };
  };
  /** Prints what is written into a file of that name, line by line, until the file `NAME.end` is there. */
  const told = (name: string): string =>
    `touch ${file(name)}; tail -n +1 -f ${file(name)} & until [ -e ${file(name)}.end ]; do sleep 0.05; done; sleep 0.3; kill $!`;
  const tell = (name: string, text: string): void => writeFileSync(file(name), text, { flag: 'a' });
  const finish = (name: string): void => writeFileSync(file(`${name}.end`), '');

  const both = await run('echo out 1; echo err 1 >&2; sleep 0.3; echo out 2; printf "no end"');
  await cluster.ended(both.id);

  await t.test('events have ids, and whoever connects again goes on behind the last', async (t) => {
    const name = 'resume';
    const { id, logs } = await run(told(name));
    await cluster.running(id);
    tell(name, 'one\ntwo\n');
    const first = await open(place(), `${logs}?follow=true`);
    let text = '';
    first.on('data', (part: Buffer) => (text += part.toString()));
    first.on('error', () => undefined);
    const bytes = (events: ReturnType<typeof eventsOf>): string =>
      events
        .filter(({ event }) => event === 'message')
        .map(({ data }) => Buffer.from(Object(data).data, 'base64').toString())
        .join('');
    await eventually('two lines', () => bytes(eventsOf(text)) === 'one\ntwo\n');
    t.match(text, /^retry: 1000\n\n/);
    t.match(eventsOf(text)[0], { event: 'source', data: { index: 1, partition: 0 } });
    const last = eventsOf(text).at(-1)?.id ?? '';
    t.strictSame([...parseLogPosition(last).values()], [8]);
    first.destroy();
    tell(name, 'three\n');
    const second = open(place(), `${logs}?follow=1&after=v1:bogus&tail=100`, {
      'last-event-id': last,
    });
    finish(name);
    const rest = eventsOf(await readText(await second));
    t.equal(bytes(rest), 'three\n');
    t.strictSame(rest.at(-1)?.data, { code: 'finished', message: '' });
  });

  await t.test('frames: one stream, the last lines, from a position, from a time', async (t) => {
    const read = async (query: string) => {
      const reader = await FramesReader.open(place(), `${both.logs}?${query}`);
      await eventually('the end', () => reader.isOver);
      t.equal(reader.end?.code, 'finished', query);
      return reader;
    };
    const all = await read('');
    t.match(all.sources.get(1), { jobName: all.sources.get(1)?.jobName, partition: 0 });
    t.equal(all.bytes().length, 'out 1\nerr 1\nout 2\nno end'.length);
    const out = await read('stream=stdout');
    t.equal(out.text(), 'out 1\nout 2\nno end');
    t.equal((await read('stream=stderr')).text(), 'err 1\n');
    t.equal((await read('tail=2')).text(), 'out 2\nno end');
    t.equal((await read('tail=0')).text(), '');
    const second = out.frames.find(({ data }) => data.toString().startsWith('out 2'));
    t.equal((await read(`since=${second?.timeMs}`)).text(), 'out 2\nno end');
    const since = new Date(second?.timeMs ?? 0).toISOString();
    t.equal((await read(`since=${since}&follow=true`)).text(), 'out 2\nno end');
  });

  await t.test('several executions come in the order of their times', async (t) => {
    const script = 'for i in 1 2 3 4; do echo $i; sleep 0.1; done';
    const { id, logs } = await run(script, { Count: 2 });
    await cluster.ended(id);
    const reader = await FramesReader.open(place(), logs);
    await eventually('the end', () => reader.isOver);
    t.equal(reader.sources.size, 2);
    t.equal(reader.bytes().length, 16);
    const times = reader.frames.map(({ timeMs }) => timeMs);
    t.strictSame(
      times,
      [...times].sort((a, b) => a - b),
    );
  });

  await t.test('a download is the bytes, execution after execution', async (t) => {
    writeFileSync(file('binary'), BINARY);
    const one = await run(`cat ${file('binary')}`);
    await cluster.ended(one.id);
    const { bytes, head, trailers } = await whole(place(), `${one.logs}?download=1`);
    t.ok(bytes.equals(BINARY), `${bytes.length} bytes`);
    t.equal(head['content-disposition'], `attachment; filename="${one.id}.log"`);
    t.equal(trailers['x-limpet-log-end'], 'finished');
    const parts = await run('echo one; sleep 0.2; echo two', { Count: 2 });
    await cluster.ended(parts.id);
    const plain = await whole(place(), parts.logs, { accept: 'text/plain' });
    t.equal(plain.text, 'one\ntwo\none\ntwo\n');
  });

  await t.test('what cannot be asked is told in one line', async (t) => {
    const asked = async (query: string): Promise<string> => {
      const { status, text } = await whole(place(), `${both.logs}?${query}`);
      return `${status} ${Object(JSON.parse(text)).Message}`;
    };
    t.match(await asked('since=yesterday'), /^400 since is 'yesterday'; expected .*2026-01-31T/);
    t.match(await asked('since=2026-13-40T00:00:00Z'), /^400 since is/);
    t.match(await asked('after=x'), /^400 after is 'x'; expected the id/);
    t.match(await asked('stream=both'), /^400 stream is 'both'; expected stdout, stderr or all/);
    t.match(await asked('tail=-1'), /^400 tail is '-1'; expected a whole number/);
    t.match(await asked('execution=e-none'), /^404 execution not found: e-none/);
    const { status, text } = await whole(place(), `orchestrator/jobs/${both.id}/logs`);
    t.equal(status, 426);
    t.match(text, new RegExp(`plain HTTP the log is at /api/v1/limpet/jobs/${both.id}/logs`));
  });

  await t.test("Bacalhau's WebSocket", async (t) => {
    const path = `orchestrator/jobs/${both.id}/logs`;
    const read = async (query: string, of = path): Promise<SocketReader> => {
      const reader = await SocketReader.open(place(), `${of}?${query}`);
      await eventually('its close', () => reader.code);
      t.equal(reader.code, 1000, query);
      return reader;
    };
    const all = await read('');
    t.equal(all.text(1), 'out 1\nout 2\nno end');
    t.equal(all.text(2), 'err 1\n');
    t.equal((await read('follow=true')).text(1), all.text(1));
    const [{ id } = { id: '' }] = await cluster.executions(both.id);
    t.equal((await read(`execution_id=${id}`)).text(1), all.text(1));
    t.equal((await read('tail=true')).text(), '', 'from now on');
    const error = (reader: SocketReader): string | undefined => reader.messages.at(-1)?.error;
    t.match(error(await read('', 'orchestrator/jobs/none/logs')), /job not found: none/);
    t.match(error(await read('follow=perhaps')), /follow is 'perhaps'/);
    t.match(error(await read('execution_id=e-none')), /execution not found/);
    const refused = (headers: Readonly<Record<string, string>>): Promise<unknown> =>
      SocketReader.open(place(), path, headers).then(
        () => 'it was let in',
        (error: unknown) => String(error),
      );
    t.match(await refused({ authorization: 'Bearer wrong' }), /401 .*the bearer token is wrong/);
    t.match(await refused({ origin: 'http://evil.example' }), /403 .*Origin .* is foreign/);
    const other = await whole(place(), 'limpet/status', { connection: 'Upgrade', upgrade: 'h2c' });
    t.equal(other.status, 200, 'other upgrades are passed over');
  });

  await t.test(
    'a WebSocket that follows waits for the work, and brings its tail only',
    async (t) => {
      const name = 'socket';
      const { id } = await run(told(name));
      const path = `orchestrator/jobs/${id}/logs`;
      const early = await SocketReader.open(place(), `${path}?follow=true`);
      tell(name, 'one ä\n');
      await eventually('the first line', () => early.text() === 'one ä\n');
      const late = await SocketReader.open(place(), `${path}?follow=true&tail=true`);
      // It has begun when it has seen a line.
      await eventually('a line from now on', () => {
        tell(name, 'more\n');
        return late.text().includes('more\n');
      });
      finish(name);
      await eventually('both ends', () => early.code === 1000 && late.code === 1000);
      t.match(early.text(), /^one ä\n(more\n)+$/);
      t.match(late.text(), /^(more\n)+$/);
    },
  );

  await t.test('readers that leave, and a hundred who follow, of one execution', async (t) => {
    const name = 'hundred';
    const { id, logs } = await run(told(name));
    await cluster.running(id);
    const readers = await Promise.all(
      Array.from({ length: 100 }, () => FramesReader.open(place(), `${logs}?follow=true`)),
    );
    const streams = async (): Promise<number> => (await agent.status()).streams ?? -1;
    await eventually('a stream', async () => (await streams()) === 1);
    const lines = Array.from({ length: 2_000 }, (_, i) => `line ${i + 1}\n`);
    for (let from = 0; from < lines.length; from += 100)
      tell(name, lines.slice(from, from + 100).join(''));
    await eventually(
      'all lines',
      () => readers.every((one) => one.text() === lines.join('')),
      60_000,
    );
    t.equal(await streams(), 1, 'the node sends each byte once');
    for (const reader of readers.slice(1)) reader.leave();
    tell(name, 'last\n');
    await eventually('the last line', () => readers[0]?.text().endsWith('last\n'));
    t.equal(await streams(), 1);
    readers[0]?.leave();
    await eventually('no stream', async () => (await streams()) === 0);
    finish(name);
    await cluster.ended(id);
  });

  await t.test(
    'a node that is away: who follows is told, the rest is recorded output',
    async (t) => {
      const name = 'away';
      const { logs } = await run(told(name));
      tell(name, 'before\n');
      const reader = await FramesReader.open(place(), `${logs}?follow=true`);
      await eventually('a line', () => reader.text() === 'before\n');
      await agent.kill();
      await eventually('a word', () => reader.notices.length === 1, 60_000);
      t.match(reader.notices[0], /^node \S+ is away; waiting$/);

      const recorded = await FramesReader.open(place(), both.logs);
      await eventually('its end', () => recorded.isOver, 60_000);
      const last = recorded.notices.at(-1);
      t.match(last, /^node \S+ is away; these are the first 2 KiB of the output/);
      t.equal(recorded.text(), 'out 1\nout 2\nno enderr 1\n');
      t.equal(recorded.end?.code, 'agent-gone');
      t.equal([...recorded.sources.values()].at(-1)?.recorded, true);
      const { text } = await whole(place(), `${both.logs}?download=1&stream=stderr`);
      t.match(text, /^\[gap\] node \S+ is away; .*\nerr 1\n$/);

      tell(name, 'meanwhile\n');
      await agent.start();
      await eventually('the rest', () => reader.text() === 'before\nmeanwhile\n', 60_000);
      t.match(reader.notices[1], /^node \S+ is back; going on at byte 7$/);
      finish(name);
      await eventually('the end', () => reader.isOver, 60_000);
      t.equal(reader.end?.code, 'finished');
      t.equal(reader.text(), 'before\nmeanwhile\n');
    },
  );
});

async function readText(response: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const part of response) text += part.toString();
  return text;
}
