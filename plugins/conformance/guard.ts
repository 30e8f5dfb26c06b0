/**
 * Ends what the suite has started when the suite itself is killed: a shell waits for the end of this process, then kills
 * whatever has the folder in its command line, environment or working folder, and deletes it.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/** The folder comes by stdin, so that nothing of the guard itself bears its name. */
const GUARD = `
read -r folder || exit 0
read -r _ && exit 0
for round in 1 2 3 4 5; do
  pids=$({
    printf '%s\\n' "$folder" | grep -lsFf - /proc/[0-9]*/cmdline /proc/[0-9]*/environ
    find /proc -maxdepth 2 -name cwd -lname "$folder*" 2>/dev/null
  } | cut -d/ -f3 | sort -un)
  [ -n "$pids" ] || break
  kill -KILL $pids 2>/dev/null
done
rm -rf -- "$folder"`;

/** Answers what lets the guard go, with nothing done. */
export function guardFolder(folder: string): () => void {
  const guard = spawn('sh', ['-c', GUARD], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined).write(`${folder}\n`);
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  return () => guard.stdin.end('done\n');
}
