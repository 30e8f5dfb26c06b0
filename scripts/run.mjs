/** One command, quiet while it works: its output is shown only when it fails. Only node:* here. */
import { spawn } from 'node:child_process';

const HEAD_LINES = 40;

/** Resolves with the output (stdout and stderr together) at exit 0; else rejects with command, outcome and output. */
export function run(command, args, { cwd, env, timeoutMs, lines = HEAD_LINES }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
    });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString('utf8');
      if (code === 0) return resolve(output);
      const outcome =
        signal === null ? `exit ${code}` : `${signal} (after at most ${timeoutMs} ms)`;
      return reject(
        new Error(`${[command, ...args].join(' ')}: ${outcome}\n${head(output, lines)}`),
      );
    });
  });
}

/** Tools put the cause first and advice after it. */
function head(output, count) {
  const lines = output.trim().split('\n');
  const left = lines.length - count;
  return [...lines.slice(0, count), ...(left > 0 ? [`(${left} more lines)`] : [])].join('\n');
}
