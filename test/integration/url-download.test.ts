/** The `urlDownload` source against a real server: what is staged, what is refused, what is tried again. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { LiveProgress } from '../../core/live-progress.ts';
import { urlSource } from '../../core/url-source.ts';
import {
  issueServer,
  makeAuthority,
  type Certified,
} from '../../adapters/authority/certificate.ts';
import { systemClock } from '../../adapters/clock/system-clock.ts';
import { Destinations } from '../../agent/inputs/destinations.ts';
import { download, nameOf, type DownloadLimits } from '../../agent/inputs/download.ts';
import { nextHop } from '../../agent/inputs/fetch.ts';
import { fileServer } from '../kit/file-server.ts';
import { tempDir } from '../kit/temp-dir.ts';

t.setTimeout(120_000);

const BODY = Buffer.from('some bytes\n'.repeat(1000));
const SHA = createHash('sha256').update(BODY).digest('hex');
const broken = { count: 0 };
const server = await fileServer(t, {
  '/dir/file.txt': (r) => r.end(BODY),
  '/packed.gz': (r) => r.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(BODY)),
  '/moved': (r) => r.writeHead(302, { location: '/dir/file.txt' }).end(),
  '/round': (r) => r.writeHead(307, { location: '/round' }).end(),
  '/nowhere': (r) => r.writeHead(301).end(),
  '/to-file': (r) => r.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/denied': (r) => r.writeHead(403).end(),
  '/busy-once': (r) => (busy() ? r.writeHead(503).end() : r.end(BODY)),
  '/busy': (r) => r.writeHead(503).end(),
  '/cut': (r) => r.writeHead(200, { 'content-length': 100 }).write('half', () => r.destroy()),
  '/endless': endless,
  '/silent': () => undefined,
  '/stalls': (r) => r.writeHead(200).write('some'),
});

function busy(): boolean {
  broken.count += 1;
  return broken.count === 1;
}

function endless(response: ServerResponse): void {
  const more = (): void => {
    while (!response.destroyed && response.write(BODY)) continue;
  };
  response.on('drain', more);
  more();
}

function today() {
  return { from: Date.now(), until: Date.now() + 86_400_000 };
}

function authority(name: string): Promise<Certified> {
  return makeAuthority(name, today());
}

interface Asked {
  /** Else the path of the server without TLS. */
  readonly url?: string;
  readonly caFile?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly limits?: Partial<DownloadLimits>;
  readonly signal?: AbortSignal;
  readonly deadlineAt?: number;
}

async function fetched(folder: string, path: string, asked: Asked = {}) {
  const limits = {
    ...{ maxBytes: 1e9, connectMs: 5_000, idleMs: 5_000, totalMs: 60_000 },
    ...{ maxRedirects: 3, attempts: 2, retryMs: 10, minFreeBytes: 0 },
    ...asked.limits,
  };
  const told: LiveProgress[] = [];
  const name = await download(
    {
      source: urlSource({ URL: asked.url ?? server.url + path, ...asked.params }, ['Params']),
      folder,
      deadlineAt: asked.deadlineAt,
      signal: asked.signal ?? new AbortController().signal,
      progress: (now) => told.push(now),
    },
    {
      destinations: new Destinations({ allow: ['127.0.0.1'] }),
      limits,
      clock: systemClock(),
      ...(asked.caFile === undefined ? {} : { caFile: asked.caFile }),
    },
  );
  return { name, file: join(folder, name), told };
}

t.test('a file is staged whole, under the name of the last hop', async (t) => {
  for (const path of ['/dir/file.txt?token=secret', '/moved']) {
    const folder = join(tempDir(t), '0');
    const { name, file } = await fetched(folder, path, {
      params: { Checksum: `sha256:${SHA.toUpperCase()}`, maxbytes: BODY.length },
    });
    t.equal(name, 'file.txt');
    t.ok(readFileSync(file).equals(BODY));
    t.same(readdirSync(join(folder, '..')), ['0']);
  }
});

t.test('what comes packed stays packed', async (t) => {
  const { file } = await fetched(join(tempDir(t), '0'), '/packed.gz');
  t.ok(readFileSync(file).equals(gzipSync(BODY)));
  t.equal(server.requests.at(-1)?.headers['accept-encoding'], 'identity');
});

t.test('names are the last part of the path, decoded', async (t) => {
  const names = {
    'a.txt': 'http://h/x/a.txt?y/z#w',
    'a b': 'http://h/x/a%20b',
    passwd: 'http://h/..%2f..%2fetc%2fpasswd',
    download: 'http://h/',
    '%zz': 'http://h/%zz',
  };
  for (const [name, url] of Object.entries(names)) t.equal(nameOf(new URL(url)), name, url);
  for (const odd of ['%2e%2e', 'x%00y', 'a%0ab', '%1b%5b2J', 'x'.repeat(201)])
    t.equal(nameOf(new URL(`http://h/d/${odd}`)), 'download', odd);
});

for (const [what, path, reason, asked] of [
  [
    'another checksum',
    '/dir/file.txt',
    /checksum sha256:\w+; expected sha256:0{64}$/,
    { params: { Checksum: `sha256:${'0'.repeat(64)}` } },
  ],
  [
    'a file that says it is too large',
    '/dir/file.txt',
    /has more than 10999 bytes \(11000\)/,
    { params: { MaxBytes: 10_999 } },
  ],
  [
    'a file that does not say how large it is',
    '/endless',
    /has more than 100000 bytes;/,
    { limits: { maxBytes: 100_000 } },
  ],
  ['a missing file', '/missing', /answered 404 Not Found$/, {}],
  ['a forbidden one', '/denied', /answered 403 Forbidden$/, {}],
  ['a redirect to nowhere', '/nowhere', /redirects to nowhere$/, {}],
  [
    'a redirect to a file',
    '/to-file',
    /redirects to a file: URL; only http and https are followed$/,
    {},
  ],
  ['a redirect that never ends', '/round', /more than 3 redirects$/, {}],
] as const)
  t.test(`${what} is refused at once, and nothing is left`, async (t) => {
    const folder = join(tempDir(t), '0');
    const before = server.asked.length;
    await t.rejects(fetched(folder, path, asked), { code: 'refused', message: reason });
    t.equal(new Set(server.asked.slice(before)).size, 1);
    t.equal(server.asked.length - before, path === '/round' ? 4 : 1);
    t.same(readdirSync(join(folder, '..')), []);
  });

t.test('a server that is busy for a moment is asked again', async (t) => {
  const { file, told } = await fetched(join(tempDir(t), '0'), '/busy-once');
  t.ok(readFileSync(file).equals(BODY));
  const [asked, failed, ...begun] = told;
  t.strictSame(asked, { kind: 'download', item: `${server.url}/busy-once`, doneBytes: 0 });
  t.match(failed?.item, /^attempt 1 of 2 failed: .* answered 503 Service Unavailable$/);
  t.equal(failed?.kind, 'other');
  const whole = { kind: 'download', item: `${server.url}/busy-once`, totalBytes: BODY.length };
  t.strictSame(begun[0], { ...whole, doneBytes: 0 });
  t.strictSame(begun.at(-1), { ...whole, doneBytes: BODY.length });
});

for (const [what, path, limits, reason] of [
  ['is busy', '/busy', {}, /answered 503/],
  ['breaks off', '/cut', {}, /the connection was broken off$/],
  ['accepts and says nothing', '/silent', { idleMs: 200 }, /silent for 200 ms$/],
  ['falls silent in the middle', '/stalls', { idleMs: 200 }, /silent for 200 ms$/],
  ['never comes to an end', '/endless', { totalMs: 200 }, /not there within 200 ms$/],
] as const)
  t.test(`a server that ${what} is given up after the attempts`, async (t) => {
    const folder = join(tempDir(t), '0');
    const before = server.asked.length;
    await t.rejects(fetched(folder, path, { limits }), {
      code: 'refused',
      message: new RegExp(`^given up after 2 attempts: .*${reason.source}`),
    });
    t.equal(server.asked.length - before, 2);
    t.same(readdirSync(join(folder, '..')), []);
  });

t.test('a disk without room is told', async (t) => {
  const limits = { minFreeBytes: 2 ** 52 };
  await t.rejects(
    fetched(join(tempDir(t), '0'), '/dir/file.txt', { limits }),
    /no room: \d+ bytes/,
  );
});

t.test('a stop and a deadline end it at once', async (t) => {
  const stop = new AbortController();
  const folder = join(tempDir(t), '0');
  const stopped = fetched(folder, '/endless', { signal: stop.signal });
  setTimeout(() => stop.abort(), 100);
  await t.rejects(stopped, { code: 'cancelled' });
  await t.rejects(fetched(folder, '/endless', { deadlineAt: Date.now() + 100 }), {
    code: 'timeout',
  });
  t.same(readdirSync(join(folder, '..')), []);
});

t.test('what a crash has left is begun anew, what is whole is not asked for again', async (t) => {
  const folder = join(tempDir(t), '0');
  mkdirSync(`${folder}.partial`);
  writeFileSync(join(`${folder}.partial`, 'file.txt'), 'torn');
  const { file } = await fetched(folder, '/dir/file.txt');
  t.ok(readFileSync(file).equals(BODY));
  t.notOk(existsSync(`${folder}.partial`));
  const before = server.asked.length;
  t.equal((await fetched(folder, '/dir/file.txt')).name, 'file.txt');
  t.equal(server.asked.length, before);
});

t.test('a download that began with https never goes on without it', async (t) => {
  const from = new URL('https://a.example/x?sig=secret');
  t.throws(() => nextHop(from, 'http://b.example/y', true), {
    code: 'refused',
    message:
      'https://a.example/x redirects from https to http://b.example/y, which is not encrypted',
  });
  t.equal(nextHop(from, '//b.example/y', true).href, 'https://b.example/y');
  t.equal(nextHop(new URL('http://a/'), 'https://b/', false).href, 'https://b/');
  t.equal(nextHop(new URL('https://b/'), 'http://c/', false).href, 'http://c/');
  t.throws(() => nextHop(from, 'https://me:pw@b.example/', true), /with user or password$/);
});

t.test(
  'authorities of the operator are asked for over https alone, and a file without any is told',
  async (t) => {
    const { certificate } = await authority('own');
    const secure = await fileServer(
      t,
      { '/file.txt': (r) => r.end(BODY) },
      await issueServer(await authority('another'), ['127.0.0.1'], today()),
    );
    const folder = tempDir(t);
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const url = `${secure.url}/file.txt`;
    const broken = file('broken.pem', certificate.replace(/^M/m, 'N'));
    for (const [caFile, reason] of [
      [
        join(folder, 'missing.pem'),
        /urlDownload\.caFile of this node, .*missing\.pem, cannot be used: ENOENT/,
      ],
      [file('empty.pem', 'no PEM'), /there is no certificate in it; expected certificates in PEM/],
      [broken, /broken\.pem, cannot be used: /],
    ] as const) {
      await t.rejects(fetched(join(folder, '0'), '', { url, caFile }), {
        code: 'refused',
        message: reason,
      });
      await fetched(join(tempDir(t), '0'), '/dir/file.txt', { caFile });
    }
    await t.rejects(fetched(join(folder, '0'), '', { url, caFile: file('own.pem', certificate) }), {
      code: 'refused',
      message: /unable to verify the first certificate/,
    });
    t.strictSame(secure.asked, []);
  },
);
