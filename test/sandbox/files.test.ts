/** Paths, links and archives */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { fetchResults } from '../../cli/jobs/fetch-results.ts';
import { craftedArchive, type CraftedEntry } from '../kit/crafted-archive.ts';
import { eventually } from '../kit/eventually.ts';
import { dockerTask, inline, local, processTask, wasmTask } from '../kit/job-specs.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { JsonObject } from '../kit/test-agent.ts';
import { startSandbox } from './sandbox.ts';

t.setTimeout(240_000);

const node = tempDir(t);
const allowed = join(node, 'allowed');
const secret = join(node, 'secret');
mkdirSync(allowed);
mkdirSync(secret);
writeFileSync(join(allowed, 'file'), 'allowed\n');
writeFileSync(join(secret, 'file'), 'secret\n');
symlinkSync(secret, join(allowed, 'way-out'));
symlinkSync('../secret', join(allowed, 'way-up'));
const { cluster, agent, engine, outputOf, refusalOf, endOf } = await startSandbox(t, {
  config: {
    allowLocal: [{ path: allowed }],
    inlineArchive: { maxBytes: 1e6, maxFiles: 100 },
    results: { maxBytes: 1e6, maxFiles: 50 },
  },
});
const withDocker = engine.skip === false;
const publishes = { Publisher: { Type: 'local' }, ResultPaths: [{ Name: 'out', Path: '/output' }] };

t.test(
  'a source path that leads out of the allowed folder, by `..` or by a link, is refused',
  async (t) => {
    for (const path of [
      'way-out',
      'way-up',
      'way-out/file',
      '../secret',
      './way-up/../secret/file',
    ])
      t.match(
        await refusalOf(
          processTask('true', { InputSources: [local(`${allowed}/${path}`, '/in')] }),
        ),
        /is not allowed on this node; its operator can/,
        path,
      );
  },
);

t.test(
  'a link inside an allowed folder that leads out of it leads nowhere in a container and in a module',
  async (t) => {
    const InputSources = [local(allowed, '/in')];
    for (const link of ['way-out', 'way-up']) {
      const read = await endOf(wasmTask('probe', ['read', `/in/${link}/file`], { InputSources }));
      t.equal(read.state, 'Failed');
      t.notMatch(read.stdout, /secret/);
      if (!withDocker) continue;
      const found = await outputOf(
        dockerTask(`cat /in/file; cat /in/${link}/file || echo none`, { InputSources }),
      );
      t.equal(found, 'allowed\nnone\n');
    }
  },
);

t.test('a target with `..` stays inside the run', async (t) => {
  const name = `limpet-sandbox-${process.pid}`;
  const InputSources = [inline(Buffer.from('x\n'), `/../../../../../../tmp/${name}`)];
  t.equal(await outputOf(processTask(`cat tmp/${name}`, { InputSources })), 'x\n');
  if (withDocker) t.equal(await outputOf(dockerTask(`cat /tmp/${name}`, { InputSources })), 'x\n');
  t.notOk(existsSync(`/tmp/${name}`));
});

t.test('a mount below another one makes nothing in a folder of the node', async (t) => {
  const InputSources = [local(allowed, '/in'), inline(Buffer.from('x'), '/in/new/file')];
  t.match(
    await refusalOf(processTask('true', { InputSources })),
    /a mount lies below another one, at in; a run that is a process of this host cannot have that/,
  );
  if (withDocker) t.not((await endOf(dockerTask('true', { InputSources }))).state, 'Completed');
  t.same(readdirSync(allowed).sort(), ['file', 'way-out', 'way-up']);
});

const file = (path: string, more: Partial<CraftedEntry> = {}): CraftedEntry => ({
  path,
  body: 'x',
  ...more,
});
const link = (path: string, linkpath: string): CraftedEntry => ({
  path,
  type: 'SymbolicLink',
  linkpath,
});

const ELSEWHERE = `/tmp/limpet-sandbox-${process.pid}-elsewhere`;
const BAD_ARCHIVES: Readonly<Record<string, readonly CraftedEntry[]>> = {
  'an absolute path': [file(ELSEWHERE)],
  'a path with ..': [file('a/../../x')],
  'a file through a link': [link('d', '.'), file('d/x')],
  'a file twice': [file('x'), file('./x')],
  'more bytes than allowed': [file('x', { claims: 2_000_000 })],
  'more files than allowed': Array.from({ length: 101 }, (_, i) => file(`f${i}`, { body: '' })),
};
const ODD_ENTRIES: Readonly<Record<string, CraftedEntry>> = {
  'a link to an absolute path': link('l', '/etc/passwd'),
  'a link that leads up': link('d/l', '../../x'),
  'a link that leads up behind a name': link('l', 'd/../../x'),
  'a second name of a file elsewhere': { path: 'l', type: 'Link', linkpath: '/etc/passwd' },
  'a second name by way of a link': { path: 'l', type: 'Link', linkpath: 'inside/passwd' },
  'a device': { path: 'l', type: 'CharacterDevice', devmaj: 1, devmin: 3 },
  'a pipe': { path: 'l', type: 'FIFO' },
};

t.test(
  'an input archive with a path, link or device that leads out, or that is a bomb, is refused, and nothing of it is written elsewhere',
  async (t) => {
    const all = {
      ...BAD_ARCHIVES,
      ...Object.fromEntries(Object.entries(ODD_ENTRIES).map(([k, v]) => [k, [v]])),
    };
    const jobs = Object.entries(all).map(async ([what, entries]) => {
      const InputSources = [inline(craftedArchive(entries), '/in', 'application/gzip')];
      t.match(
        await refusalOf(wasmTask('hello', [], { InputSources })),
        /the archive (is not unpacked|holds more|unpacks to more)/,
        what,
      );
    });
    await Promise.all(jobs);
    t.equal(existsSync(ELSEWHERE), false);
  },
);

t.test('what an input archive brings has no set-user bits', async (t) => {
  const archive = craftedArchive([file('tool', { mode: 0o6755 }), file('plain', { mode: 0o644 })]);
  const InputSources = [inline(archive, '/in', 'application/gzip')];
  t.equal(
    await outputOf(processTask('stat -c %a in/tool in/plain', { InputSources })),
    '755\n644\n',
  );
});

/** `job get` from a node that sends this. */
async function got(t: Parameters<typeof tempDir>[0], entries: readonly CraftedEntry[]) {
  const folder = join(tempDir(t), 'got');
  const source = Readable.from([craftedArchive(entries)]);
  const api = { download: async () => source };
  const results = [{ Type: 'urlDownload', Params: { URL: '/result.tar.gz' } }];
  const limits = { maxBytes: 1e6, maxFiles: 100 };
  return { folder, ...(await fetchResults(api, results, { folder, limits })) };
}

t.test(
  'an archive of results that cannot be honest is not unpacked, and nothing is left',
  async (t) => {
    for (const [what, entries] of Object.entries(BAD_ARCHIVES)) {
      const parent = tempDir(t);
      await t.rejects(
        got({ teardown: () => undefined }, entries),
        /the results could not be fetched: the archive/,
        what,
      );
      t.same(readdirSync(parent), []);
    }
    t.equal(existsSync(ELSEWHERE), false);
  },
);

t.test(
  'links, second names, devices and pipes that lead out are left out of fetched results, with a word; the rest is there, without set-user bits',
  async (t) => {
    const odd = Object.entries(ODD_ENTRIES);
    const honest = [
      file('d/real', { mode: 0o6755 }),
      link('d/inside', 'real'),
      { path: 'again', type: 'Link', linkpath: 'd/real' } as const,
    ];
    for (const [what, entry] of odd) {
      const { folder, leftOut, files } = await got(t, [...honest, link('inside', 'd'), entry]);
      t.equal(leftOut.length, 1, what);
      t.equal(existsSync(join(folder, entry.path)), false, what);
      t.strictSame(files, ['again', 'd/inside', 'd/real']);
      t.equal(lstatSync(join(folder, 'd/real')).mode & 0o7777, 0o755);
    }
  },
);

const MESS = `
  echo kept > output/kept; ln output/kept output/again
  ln -s /etc/shadow output/shadow; ln -s ../../../secret output/up; ln -s kept output/inside
  mkfifo output/pipe
  echo x > output/root; chmod 6755 output/root`;

t.test(
  'links in results are published as links, pipes not at all, set-user bits are gone, on the node too',
  async (t) => {
    const tasks: [string, JsonObject][] = [['process', processTask(MESS, publishes)]];
    if (withDocker) tasks.push(['docker', dockerTask(`cd /; ${MESS}`, publishes)]);
    for (const [what, task] of tasks) {
      const { job, state, message } = await endOf(task);
      t.equal(state, 'Completed', `${what}: ${message}`);
      const folder = join(tempDir(t), 'got');
      const { stdout, stderr } = await cluster.ran('job', 'get', job, '--output-dir', folder);
      t.match(
        stderr,
        /left out: \.\/out\/shadow: it is a link to \/etc\/shadow, out of the folder/,
      );
      t.match(stderr, /left out: \.\/out\/up: it is a link to/);
      t.strictSame(
        readdirSync(join(folder, 'out')).sort(),
        ['again', 'inside', 'kept', 'root'],
        stdout,
      );
      t.equal(readFileSync(join(folder, 'out/inside'), 'utf8'), 'kept\n');
      const { id } = await cluster.execution(job);
      for (const at of [folder, join(agent.folder, 'results', id)])
        t.equal(lstatSync(join(at, 'out/root')).mode & 0o7000, 0, what);
    }
  },
);

t.test(
  'a link in the place of a result folder is not followed: what it leads to is neither published nor touched',
  async (t) => {
    const elsewhere = join(tempDir(t), 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'tool'), 'not of this job\n');
    chmodSync(join(elsewhere, 'tool'), 0o4755);
    const swap = `real=$(readlink output) && rmdir $real && ln -s ${elsewhere} $real`;
    const { job, state, message } = await endOf(processTask(swap, publishes));
    t.equal(state, 'Completed', message);
    const folder = join(tempDir(t), 'got');
    await cluster.ran('job', 'get', job, '--output-dir', folder);
    t.notOk(existsSync(join(folder, 'out/tool')));
    t.equal(lstatSync(join(elsewhere, 'tool')).mode & 0o7777, 0o4755);
  },
);

t.test(
  'results that are too many or too large, sparse ones too, fail the publishing and are removed',
  async (t) => {
    const scripts = {
      'more than 1000000 bytes': 'cd output; truncate -s 100G giant',
      'more than 50 files': 'cd output; i=0; while [ $i -lt 60 ]; do : > f$i; i=$((i+1)); done',
      'a path that is too long':
        'cd output; i=0; while [ $i -lt 45 ]; do d=$(printf %0120d 0); mkdir $d; cd -P ./$d; i=$((i+1)); done',
    };
    for (const [what, script] of Object.entries(scripts)) {
      const tasks = [processTask(script, publishes)];
      if (withDocker) tasks.push(dockerTask(`cd /; ${script}`, publishes));
      for (const task of tasks) {
        const { job, state, message } = await endOf(task);
        t.equal(state, 'Failed');
        t.match(
          message,
          `publishing failed: the results hold ${what}; the node's operator sets the limits`,
        );
        const { id } = await cluster.execution(job);
        await eventually('its folders to be gone', () =>
          ['docker', 'process'].every((e) => !existsSync(join(agent.folder, 'runs', e, id, '0'))),
        );
        t.equal(existsSync(join(agent.folder, 'results', id)), false);
      }
    }
  },
);

t.test('a WASM module makes no links and follows none in its results', async (t) => {
  const { state, stdout } = await endOf(wasmTask('probe', ['symlink', '/output/l'], publishes));
  t.equal(state, 'Failed');
  t.match(stdout, /not supported/i);
});
