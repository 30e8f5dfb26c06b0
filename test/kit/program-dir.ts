/**
 * A folder whose programs end with the process of the test, however that ends: killed at a time-out, or with a teardown
 * that threw before the others had their turn. A shell waits for the end of this process; what then still has the folder
 * in its command line, environment or working folder is killed.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { tempDir } from './temp-dir.ts';
import type { Teardown } from './teardown.ts';

/** The folder comes by stdin, so that nothing of the guard itself bears its name. More rounds than one: plugins come again. */
const GUARD = `
read -r folder
read -r _
for round in 1 2 3 4 5; do
  pids=$({
    printf '%s\\n' "$folder" | grep -lsFf - /proc/[0-9]*/cmdline /proc/[0-9]*/environ
    find /proc -maxdepth 2 -name cwd -lname "$folder*" 2>/dev/null
  } | cut -d/ -f3 | sort -un)
  [ -n "$pids" ] || exit 0
  kill -KILL $pids 2>/dev/null
done`;

/** A temporary folder for programs under test. Teardown ends the guard: by then each of them has had its own. */
export function programDir(t: Teardown): string {
  const folder = tempDir(t);
  const guard = spawn('sh', ['-c', GUARD], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined).write(`${folder}\n`);
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  t.teardown(() => guard.kill('SIGKILL'));
  return folder;
}
