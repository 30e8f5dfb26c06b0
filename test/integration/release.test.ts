import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { list } from 'tar';
import t from 'tap';
import { z } from 'zod';
import { startProgram, distPath, type Program } from '../kit/program.ts';
import { programDir } from '../kit/program-dir.ts';
import { makeRelease, unpack } from '../kit/release.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';
import { VERSION } from '../../wire/version.ts';

t.setTimeout(240_000);

const OTHER = process.arch === 'x64' ? 'arm64' : 'x64';

interface Packed {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
}

async function contents(archive: string): Promise<Packed[]> {
  const found: Packed[] = [];
  await list({
    file: archive,
    onReadEntry: ({ path, mode, uid }) => {
      found.push({ path: path.slice(path.indexOf('/') + 1), mode: mode ?? 0, uid: uid ?? 0 });
    },
  });
  return found;
}

t.test(
  'a release has what its programs load, for one architecture, and nothing else',
  async (t) => {
    const archive = await makeRelease(t, tempDir(t), OTHER);
    t.equal(basename(archive), `limpet-${VERSION}-linux-${OTHER}.tar.gz`);
    const files = await contents(archive);
    const paths = files.map(({ path }) => path);
    t.same(paths, [...paths].sort(), 'sorted');
    t.same(
      files.filter(({ uid }) => uid !== 0),
      [],
    );
    t.same(
      paths.filter((path) => path.endsWith('.node')).map((path) => path.split('/').at(-2)),
      [`linux-${OTHER}`],
    );
    // What `limpet plugin init` copies has types and a README.
    const ours = paths.filter((path) => !/^(dist\/sdk|plugins\/template)\//.test(path));
    t.same(
      ours.filter((path) => /\.map$|\.ts$|fixtures|musl|\.cache$|README/.test(path)),
      [],
    );
    const runnable = files.filter(({ mode }) => (mode & 0o111) !== 0).map(({ path }) => path);
    t.same(runnable, ['bin/limpet']);
    const needed = ['dist/agent.js', 'dist/requester.js', 'dist/sdk/index.js', 'agent.config.json'];
    for (const path of [...needed, 'plugins/template/src/main.js', 'LICENSE'])
      t.ok(paths.includes(path), path);
  },
);

t.test('the same programs make the same archive, byte for byte', async (t) => {
  const [one, two] = [await makeRelease(t, tempDir(t)), await makeRelease(t, tempDir(t))];
  t.ok(readFileSync(one).equals(readFileSync(two)));
});

t.test('an unpacked release is a whole cluster with nothing but Node', async (t) => {
  const folder = programDir(t);
  const release = await unpack(await makeRelease(t, folder), join(folder, 'r'));
  const about = z
    .object({ version: z.string(), arch: z.string(), build: z.string() })
    .parse(JSON.parse(readFileSync(join(release, 'release.json'), 'utf8')));
  t.equal(about.arch, process.arch);
  t.match(about.build, /^[0-9a-f]{12}$/);

  const data = join(folder, 'd');
  const command = join(folder, 'limpet');
  symlinkSync(join(release, 'bin/limpet'), join(folder, 'by-another-name'));
  symlinkSync('by-another-name', command);
  const limpet = (t: Teardown, ...args: string[]): Promise<Program> => ran(t, command, data, args);
  t.equal((await limpet(t, '--version')).stdout, `${VERSION}\n`);

  t.teardown(() => limpet({ teardown: () => undefined }, 'dev', '--stop'));
  const started = await limpet(t, 'dev', '--detach', '--broker', 'embedded');
  t.equal(started.exit?.code, 0, started.stderr);
  const ran1 = await limpet(t, 'wasm', 'run', distPath('fixtures/wasm/hello.wasm'));
  t.equal(ran1.exit?.code, 0, ran1.stderr);
  t.match(ran1.stdout, /hello/i);
  const stopped = await limpet(t, 'dev', '--stop');
  t.equal(stopped.exit?.code, 0, stopped.stderr);
  t.notOk(existsSync(join(data, 'dev.json')));
});

async function ran(
  t: Teardown,
  command: string,
  data: string,
  args: readonly string[],
): Promise<Program> {
  const env = { LIMPET_DATA: data, LIMPET_API: undefined, LIMPET_TOKEN: undefined };
  const program = await startProgram(t, process.execPath, { args: [command, ...args], env });
  await program.waitForExit(60_000);
  return program;
}
