/** Requests to the node itself and to its networks */
import type { LookupAddress } from 'node:dns';
import http from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import wabt from 'wabt';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { urlSource } from '../../core/url-source.ts';
import { Destinations, type DestinationOptions } from '../../agent/inputs/destinations.ts';
import { download } from '../../agent/inputs/download.ts';
import { fileServer } from '../kit/file-server.ts';
import { dockerTask, inline, processTask, wasmTask } from '../kit/job-specs.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { JsonObject } from '../kit/test-agent.ts';
import { startSandbox } from './sandbox.ts';

t.setTimeout(240_000);

const server = await fileServer(t, {
  '/file': (r) => r.end('from the node\n'),
  '/away': (r) => r.writeHead(302, { location: `http://127.0.0.1:${server.port}/file` }).end(),
});
const { engine, outputOf, refusalOf } = await startSandbox(t, {
  config: { urlDownload: { allow: ['localhost'], attempts: 2, retryMs: 100 } },
});

function fetched(url: string, options: Partial<DestinationOptions> = {}): Promise<string> {
  const folder = join(tempDir(t), '0');
  const limits = {
    ...{ maxBytes: 1e6, connectMs: 5_000, idleMs: 5_000, totalMs: 20_000 },
    ...{ maxRedirects: 3, attempts: 1, retryMs: 10, minFreeBytes: 0 },
  };
  return download(
    {
      source: urlSource({ URL: url }, []),
      ...{ folder, deadlineAt: undefined, signal: new AbortController().signal },
      progress: () => undefined,
    },
    { destinations: new Destinations({ allow: [], ...options }), limits, clock: systemClock() },
  );
}

/** Answers these in turn; the last one again and again. */
function resolver(...answers: readonly (readonly string[])[]) {
  const asked: string[] = [];
  const resolve = async (name: string): Promise<readonly LookupAddress[]> => {
    asked.push(name);
    const found = answers[Math.min(asked.length, answers.length) - 1] ?? [];
    return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return { asked, resolve };
}

function download1(url: string): JsonObject {
  return { Source: { Type: 'urlDownload', Params: { URL: url } }, Target: '/input' };
}

t.test(
  'a download from an address of the node, in whatever form it is written, is refused before anything is sent',
  async (t) => {
    const hosts = [
      ...[
        '127.0.0.1',
        '2130706433',
        '0x7f.1',
        '0177.0.0.1',
        '127.1',
        '0.0.0.0',
        '0',
        '[::1]',
        '[::]',
      ],
      ...[
        '[::ffff:127.0.0.1]',
        '[::127.0.0.1]',
        '[64:ff9b::7f00:1]',
        '[2002:7f00:1::]',
        'localhost',
      ],
      ...['①②⑦.0.0.1', '127.0.0.1.'],
    ];
    for (const host of hosts)
      await t.rejects(
        fetched(`http://${host}:${server.port}/file`),
        {
          code: 'refused',
          message: /is (a \S+ address|one of this node's own addresses), which is not fetched from/,
        },
        host,
      );
    for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? []))
      await t.rejects(
        fetched(
          `http://${address.includes(':') ? `[${address.split('%')[0]}]` : address}:${server.port}/file`,
        ),
        { code: 'refused', message: /which is not fetched from/ },
        address,
      );
    t.same(server.asked, []);
  },
);

t.test(
  'a download from cloud metadata, private, link-local, shared and multicast addresses is refused',
  async (t) => {
    for (const [host, kind] of Object.entries({
      '169.254.169.254': 'metadata',
      '[fd00:ec2::254]': 'metadata',
      '168.63.129.16': 'metadata',
      '10.0.0.1': 'private',
      '192.168.1.1': 'private',
      '[fd12::1]': 'private',
      '169.254.7.7': 'link-local',
      '[fe80::1]': 'link-local',
      '100.64.0.1': 'shared',
      '224.0.0.1': 'multicast',
    }))
      await t.rejects(
        fetched(`http://${host}/latest/meta-data/`, { own: () => [] }),
        {
          code: 'refused',
          message: new RegExp(`is a ${kind} address`),
        },
        host,
      );
  },
);

t.test(
  'a public name that resolves to a private address is refused, also when only one of its addresses is',
  async (t) => {
    for (const answers of [
      ['10.0.0.1'],
      ['93.184.216.34', '127.0.0.1'],
      ['::ffff:169.254.169.254'],
    ]) {
      const { resolve } = resolver(answers);
      for (const allow of [[], ['other.example', '192.0.2.0/24']])
        await t.rejects(
          fetched('http://files.example/x', { resolve, allow }),
          {
            code: 'refused',
            message: /^files\.example is (a \S+ address|one of .* addresses), which/,
          },
          `${answers.join()}, allowed: ${allow.join()}`,
        );
    }
  },
);

t.test("an address of the node's own is refused, however public it is", async (t) => {
  const own = (): string[] => ['93.184.216.34', '2606:2800:220:1::1'];
  for (const host of ['93.184.216.34', '[2606:2800:220:1::1]', '[::ffff:93.184.216.34]'])
    await t.rejects(
      fetched(`http://${host}/x`, { own }),
      {
        code: 'refused',
        message: /is one of this node's own addresses, which is not fetched from/,
      },
      host,
    );
});

t.test(
  'a name that resolves to another address at the second look is asked once: the checked address is the one connected to',
  async (t) => {
    const { resolve, asked } = resolver(['127.0.0.1'], ['10.255.255.1']);
    const name = `files.example:${server.port}`;
    t.equal(await fetched(`http://${name}/file`, { resolve, allow: ['127.0.0.1'] }), 'file');
    t.same(asked, ['files.example']);
    t.equal(server.requests.at(-1)?.headers.host, name, 'the host stays the name');
  },
);

t.test('a redirect from an allowed server to the node itself is refused', async (t) => {
  const before = server.asked.length;
  const task = processTask('cat input/file', {
    InputSources: [download1(`http://localhost:${server.port}/away`)],
  });
  t.match(
    await refusalOf(task),
    /127\.0\.0\.1 is (a loopback address|one of this node's own addresses), which is not fetched from; the node's operator can allow it in urlDownload\.allow$/,
  );
  t.same(server.asked.slice(before), ['/away']);
});

t.test('what the operator has listed is fetched, for every executor', async (t) => {
  const InputSources = [download1(`http://localhost:${server.port}/file`)];
  t.equal(await outputOf(processTask('cat input/file', { InputSources })), 'from the node\n');
  t.equal(
    await outputOf(wasmTask('probe', ['read', '/input/file'], { InputSources })),
    'from the node\nok\n',
  );
  if (engine.skip === false)
    t.equal(await outputOf(dockerTask('cat /input/file', { InputSources })), 'from the node\n');
});

t.test(
  'a container reaches nothing over the network unless its job asks for one, and never by the network of the node',
  { skip: engine.skip },
  async (t) => {
    const open = http.createServer((_, response) => response.end('secret'));
    await new Promise<void>((resolve) => open.listen(0, '0.0.0.0', resolve));
    t.teardown(() => open.close());
    const address = open.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const script = `ls /sys/class/net; for host in 127.0.0.1 172.17.0.1 169.254.169.254; do wget -T 2 -q -O - http://$host:${port}/ || echo "no $host"; done`;
    t.equal(
      await outputOf(dockerTask(script)),
      'lo\nno 127.0.0.1\nno 172.17.0.1\nno 169.254.169.254\n',
    );
    t.match(
      await refusalOf(dockerTask(script, { Network: { Type: 'host' } })),
      /network 'host' is not allowed on this node/,
    );
  },
);

t.test('a WASM module that imports sockets is refused: there are none', async (t) => {
  const text = `(module (import "wasi_snapshot_preview1" "sock_connect" (func (param i32 i32 i32) (result i32))) (memory (export "memory") 1) (func (export "_start")))`;
  const module = (await wabt()).parseWat('socket.wat', text).toBinary({}).buffer;
  const task = {
    Engine: { Type: 'wasm', Params: { EntryModule: '/socket.wasm' } },
    InputSources: [inline(module, '/socket.wasm')],
  };
  t.match(await refusalOf(task), /sock_connect/);
});
