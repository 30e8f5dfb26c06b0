import t, { type Test } from 'tap';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { LimpetError } from '../../core/errors.ts';
import { Executor } from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';
import { addService, SERVER_OPTIONS } from '../../plugins/proto/grpc-server.ts';
import { client, connect } from '../../plugins/proto/grpc.ts';
import { eventually } from '../kit/eventually.ts';

type ExecutorMethods = Parameters<typeof addService<(typeof Executor)['method']>>[2];

async function served(test: Test, implementation: ExecutorMethods) {
  const folder = await mkdtemp(join(tmpdir(), 'lb-'));
  const target = `unix:${join(folder, 's')}`;
  const server = new grpc.Server(SERVER_OPTIONS);
  addService(server, Executor, implementation);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(target, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  const connection = connect(target);
  test.teardown(async () => {
    connection.close();
    server.forceShutdown();
    await rm(folder, { recursive: true, force: true });
  });
  return client(Executor, connection);
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (thrown: unknown) => (thrown instanceof LimpetError ? thrown : LimpetError.from(thrown)),
  );

t.test('a unary call carries request and answer', async (t) => {
  const executor = await served(t, {
    async wait({ request }) {
      return { key: { executionId: request.key?.executionId ?? '', run: request.timeoutMs } };
    },
  });
  const answer = await executor.wait({ key: { executionId: 'e-1' }, timeoutMs: 7 });
  t.match(answer.key, { executionId: 'e-1', run: 7 });
});

t.test('an error keeps its exact code and message', async (t) => {
  const executor = await served(t, {
    async info() {
      throw new LimpetError('engine-failed', 'the engine said 500');
    },
    async list() {
      throw new TypeError('x is not a function');
    },
    async *events() {
      yield { seq: 1n };
      throw new LimpetError('refused', 'no such image');
    },
  });
  t.match(await failure(executor.info({})), {
    code: 'engine-failed',
    message: 'the engine said 500',
  });
  t.match(await failure(executor.list({})), { code: 'internal', message: 'x is not a function' });
  const seen: bigint[] = [];
  const reading = (async () => {
    for await (const event of executor.events({})) seen.push(event.seq);
  })();
  t.match(await failure(reading), { code: 'refused', message: 'no such image' });
  t.same(seen, [1n], 'what came before the error is delivered');
});

t.test('a method without a handler is unimplemented, a missing peer unavailable', async (t) => {
  const executor = await served(t, {});
  t.match(await failure(executor.info({})), { code: 'unimplemented' });
  const nobody = connect('unix:/tmp/limpet-no-such-socket');
  t.teardown(() => nobody.close());
  t.match(await failure(client(Executor, nobody).info({})), { code: 'unavailable' });
});

t.test('a silent handler ends in timeout and its signal fires', async (t) => {
  let fired = false;
  const executor = await served(t, {
    info: ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          fired = true;
          resolve({});
        });
      }),
  });
  t.match(await failure(executor.info({}, { deadlineMs: 50 })), { code: 'timeout' });
  await eventually('the handler hears of it', () => fired, 2000);
  const stop = new AbortController();
  const call = failure(executor.info({}, { signal: stop.signal }));
  stop.abort();
  t.match(await call, { code: 'cancelled' });
});

t.test('a server stream stops at a slow reader and ends when the reader leaves', async (t) => {
  let made = 0;
  let ended = false;
  const executor = await served(t, {
    async *logs({ signal }) {
      try {
        while (!signal.aborted) {
          made++;
          yield { frames: [{ data: new Uint8Array(65536) }] };
        }
      } finally {
        ended = true;
      }
    },
  });
  let last = -1;
  for await (const piece of executor.logs({ executionId: 'e-1' })) {
    t.equal(piece.frames[0]?.data.length, 65536);
    await eventually('the writer pauses', () => made === last || ((last = made), false), 5000);
    break;
  }
  t.ok(made < 500, `${made} chunks of 64 KiB were made for one that was read`);
  await eventually('the handler has ended', () => ended, 2000);
});

t.test('a stream that waits for news ends when its signal fires', async (t) => {
  let left = false;
  const executor = await served(t, {
    async *events({ signal }) {
      yield { seq: 1n };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      left = true;
    },
  });
  const stop = new AbortController();
  const reading = (async () => {
    for await (const event of executor.events({}, { signal: stop.signal }))
      if (event.seq === 1n) stop.abort();
  })();
  t.match(await failure(reading), { code: 'cancelled' });
  await eventually('the handler has ended', () => left, 2000);
});

t.test('a bidi call delivers the output that follows the half-close', async (t) => {
  const executor = await served(t, {
    async *exec({ requests }) {
      let bytes = 0;
      for await (const { message } of requests)
        if (message.case === 'stdin') bytes += message.value.length;
      yield { message: { case: 'output', value: { data: Buffer.from(`${bytes} bytes`) } } };
      yield { message: { case: 'exit', value: { code: 3 } } };
    },
  });
  async function* input() {
    for (let i = 0; i < 100; i++)
      yield { message: { case: 'stdin', value: new Uint8Array(10_000) } } as const;
  }
  const seen: string[] = [];
  for await (const { message } of executor.exec(input(), { deadlineMs: 5000 })) {
    if (message.case === 'output') seen.push(Buffer.from(message.value.data).toString());
    if (message.case === 'exit') seen.push(`exit ${message.value.code}`);
  }
  t.same(seen, ['1000000 bytes', 'exit 3']);
});
