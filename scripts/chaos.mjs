/**
 * `npm run chaos -- [--seed N] [--minutes M] [--agents K] [--no-docker]`: set-up, then a cluster of its own under load
 * while everything in it is killed at random. The last line is the audit: `lost 0, doubled 0, out of order 0`.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

await setup();
const args = ['--import=tsx', join(root, 'test/chaos/main.ts'), ...process.argv.slice(2)];
const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
// A terminal tells the child too, which then cleans up.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
process.exitCode = await new Promise((resolve) => {
  child.once('error', () => resolve(1));
  child.once('close', (code) => resolve(code ?? 1));
});
