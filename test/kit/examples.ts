/** The example plugins in Go and Python, as commands to start; and other Go programs of the tests. */
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findGo, findPython } from '../../scripts/programs.mjs';
import { tempDir } from './temp-dir.ts';
import type { Teardown } from './teardown.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);

/** For tap's `skip` option: false, or why the example cannot be run here. */
export const withoutGo =
  findGo() === undefined && 'no Go with go-plugin and gRPC as Debian packages them: npm run setup';
export const withoutPython =
  findPython() === undefined && 'no /usr/bin/python3 with grpcio: npm run setup';

/** Builds the Go example; answers its command. */
export async function goExample(t: Teardown): Promise<readonly string[]> {
  return [await goProgram(t, 'example.com/script')];
}

/** The Python example, and the file that tells the conformance suite of its params. */
export function pythonExample(): { readonly command: readonly string[]; readonly file: string } {
  const folder = join(root, 'plugins/examples/python');
  const command = [findPython() ?? 'python3', join(folder, 'main.py')];
  return { command, file: join(folder, 'plugin-test.json') };
}

/**
 * Builds a package: `example.com/script` is the example, `example.com/interop/NAME` lies in test/interop. What was
 * compiled is kept in node_modules, so that a second time takes a second.
 */
export async function goProgram(t: Teardown, name: string): Promise<string> {
  const folder = tempDir(t);
  const sources = join(folder, 'src/example.com');
  mkdirSync(sources, { recursive: true });
  symlinkSync(join(root, 'plugins/examples/go'), join(sources, 'script'));
  symlinkSync(join(root, 'test/interop'), join(sources, 'interop'));
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    GO111MODULE: 'off',
    CGO_ENABLED: '0',
    GOFLAGS: '',
    GOPATH: `${folder}:/usr/share/gocode`,
    GOCACHE: join(root, 'node_modules/.cache/limpet/go'),
  };
  const program = join(folder, 'program');
  const args = ['build', '-o', program, name];
  await execute(findGo() ?? 'go', args, { cwd: folder, env, timeout: 240_000 });
  return program;
}
