/** A release of what dist/ has, made by the real script. */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { extract } from 'tar';
import { startProgram } from './program.ts';
import type { Teardown } from './teardown.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/release.mjs', import.meta.url));

/** Answers the path of the archive below `out`. */
export async function makeRelease(
  t: Teardown,
  out: string,
  arch: string = process.arch,
): Promise<string> {
  const args = [SCRIPT, '--arch', arch, '--out', out, '--no-build', '--no-times'];
  const program = await startProgram(t, process.execPath, { args });
  const exit = await program.waitForExit(120_000);
  const archive = program.stdout.trim().split('\n').at(-1);
  if (exit.code !== 0 || archive === undefined) throw new Error(`no release: ${program.stderr}`);
  return archive;
}

/** Answers the folder of the release, which is made in `folder`. */
export async function unpack(archive: string, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  await extract({ file: archive, cwd: folder });
  return join(folder, basename(archive, '.tar.gz'));
}
