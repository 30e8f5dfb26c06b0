/**
 * `node scripts/example-stubs.mjs [--check]`: what the examples in Go and Python know the proto by: stubs that
 * protoc-gen-go makes (where it is installed), and the descriptor that buf makes. With --check nothing is written: it fails
 * when what is committed differs. Debian's protoc-gen-go is older than `optional`, which buf warns of; it generates the
 * `oneof` that `optional` is on the wire.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from './programs.mjs';
import { run } from './run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const TIMEOUT_MS = 120_000;

const GO = 'plugins/examples/go/executorv1/executor.pb.go';
const PYTHON = 'plugins/examples/python/executor.binpb';

const folder = mkdtempSync(join(tmpdir(), 'lt-stubs-'));
try {
  cpSync(join(root, 'plugins/proto'), join(folder, 'plugins/proto'), { recursive: true });
  const made = [await makePython(), ...(findProgram('protoc-gen-go') ? [await makeGo()] : [])];
  if (process.argv.includes('--check')) compare(made);
  else for (const file of made) cpSync(join(folder, file), join(root, file));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function makePython() {
  mkdirSync(join(folder, 'plugins/examples/python'), { recursive: true });
  await buf('build', 'plugins/proto', '--exclude-source-info', '--output', PYTHON);
  return PYTHON;
}

async function makeGo() {
  const template = join(root, 'plugins/examples/go/buf.gen.yaml');
  await buf('generate', 'plugins/proto', '--template', template, '--path', 'plugins/proto/limpet');
  const generated = 'plugins/examples/go/executorv1/limpet/executor/v1/executor.pb.go';
  renameSync(join(folder, generated), join(folder, GO));
  return GO;
}

function buf(...args) {
  const env = { PATH: `${bin}:${process.env.PATH}` };
  return run(join(bin, 'buf'), args, { cwd: folder, env, timeoutMs: TIMEOUT_MS });
}

function compare(made) {
  const differing = made.filter(
    (file) => !readFileSync(join(folder, file)).equals(readFileSync(join(root, file))),
  );
  if (differing.length === 0) return;
  console.error(
    `not what the proto says: ${differing.join(', ')}; run: node scripts/example-stubs.mjs`,
  );
  process.exitCode = 1;
}
