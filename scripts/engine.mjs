/**
 * The Docker engine of tests and demo: the one that answers, else a private dockerd. Only node:* here.
 *
 * A private engine lives in one folder (socket, data, state) and never meets another: no bridge, no iptables, its own
 * containerd. A small shell guards it: the guard reads a pipe from us, so the engine ends with the process that started
 * it, even if that one is killed.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from './programs.mjs';

const READY_MS = 20_000;
const STOP_MS = 20_000;

export function engineHost() {
  return process.env.DOCKER_HOST || 'unix:///var/run/docker.sock';
}

export async function engineAnswers(host = engineHost()) {
  try {
    const { status } = await callEngine(host, { path: '/_ping', timeoutMs: 2000 });
    return status === 200;
  } catch {
    return false;
  }
}

/** One HTTP call to an engine; rejects when it does not answer in time, resolves with whatever status it gives. */
export function callEngine(host, { method = 'GET', path, body, type, timeoutMs = 30_000 }) {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { 'content-type': type, 'content-length': body.length };
    const signal = AbortSignal.timeout(timeoutMs);
    const call = request({ ...address(host), method, path, headers, signal }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function address(host) {
  const url = new URL(host);
  if (url.protocol === 'unix:') return { socketPath: url.pathname };
  if (url.protocol === 'tcp:' || url.protocol === 'http:') {
    return { host: url.hostname, port: url.port || 2375 };
  }
  throw new Error(`engines at ${url.protocol}// are not supported; use unix:// or tcp://`);
}

/** Why this machine cannot run a private engine; undefined when it can. */
export function privateEngineMissing() {
  if (findProgram('dockerd') === undefined) return 'no dockerd on this machine';
  if (process.getuid() !== 0) return 'dockerd needs root';
  return undefined;
}

export async function startPrivateEngine({ liveRestore = false } = {}) {
  const missing = privateEngineMissing();
  if (missing !== undefined) throw new Error(missing);
  const engine = new PrivateEngine(liveRestore);
  try {
    await engine.start();
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return engine;
}

/** $1 is the engine's folder, the rest its command. `stop` on stdin is our word; its mere end is our death. */
const GUARD = `
folder=$1; shift
"$@" >>"$folder/log" 2>&1 </dev/null & engine=$!
echo $engine >"$folder/engine.pid.new"; mv "$folder/engine.pid.new" "$folder/engine.pid"
word=; read -r word
kill $engine 2>/dev/null; wait $engine
awk -v below="$folder/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r |
  while read -r mount; do umount -l "$mount"; done
[ "$word" = stop ] || rm -rf --one-file-system "$folder"
`;

class PrivateEngine {
  #folder = mkdtempSync(join(tmpdir(), 'lt-dk-'));
  #liveRestore;
  #guards = [];

  constructor(liveRestore) {
    this.#liveRestore = liveRestore;
  }

  get host() {
    return `unix://${this.#folder}/docker.sock`;
  }

  get pid() {
    return Number(readFileSync(join(this.#folder, 'engine.pid'), 'utf8'));
  }

  get log() {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  /** Starts it, also again after a kill; resolves when it answers. */
  async start() {
    rmSync(join(this.#folder, 'engine.pid'), { force: true });
    const command = [findProgram('dockerd'), ...this.#options()];
    const output = openSync(join(this.#folder, 'log'), 'a');
    const guard = spawn('/bin/sh', ['-c', GUARD, 'sh', this.#folder, ...command], {
      detached: true,
      stdio: ['pipe', output, output],
    });
    closeSync(output);
    guard.stdin.on('error', () => undefined);
    guard.stdin.unref();
    guard.unref();
    this.#guards.push(guard);
    await this.#ready();
  }

  /** Ends dockerd as an accident would, and waits until it is gone; `start` brings it back. */
  async kill(signal = 'SIGKILL') {
    const { pid } = this;
    const containerd = this.#containerdPid();
    process.kill(pid, signal);
    await until(() => !isAlive(pid), STOP_MS, `dockerd to end after ${signal}`);
    // A dockerd that starts while these two are dying or zombies takes them for a running engine.
    await until(() => !exists(containerd), STOP_MS, 'containerd to end with dockerd');
    await this.#stopGuards();
  }

  /** Removes every container, ends dockerd, removes the folder. Twice is the same as once. */
  async stop() {
    if (!existsSync(this.#folder)) return;
    // A killed engine may have left containers behind that only an engine can end.
    if (this.#guards.length === 0) await this.start().catch(() => undefined);
    if (await engineAnswers(this.host)) await removeContainers(this.host);
    await this.#stopGuards();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  #containerdPid() {
    try {
      return Number(readFileSync(join(this.#folder, 'exec/containerd/containerd.pid'), 'utf8'));
    } catch {
      return undefined;
    }
  }

  async #stopGuards() {
    await Promise.all(this.#guards.splice(0).map(stopGuard));
  }

  #options() {
    const folder = this.#folder;
    return [
      ...['-H', this.host, '--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`],
      ...['--pidfile', `${folder}/pid`, '--bridge', 'none', '--iptables=false'],
      ...['--ip-forward=false', '--ip-masq=false', '--shutdown-timeout=3'],
      ...(this.#liveRestore ? ['--live-restore'] : []),
    ];
  }

  async #ready() {
    const what = 'dockerd to answer';
    await until(
      async () => {
        if (await engineAnswers(this.host)) return true;
        if (this.#ended()) throw new Error(`dockerd did not start: ${lastLine(this.log)}`);
        return false;
      },
      READY_MS,
      what,
    );
  }

  #ended() {
    try {
      return !isAlive(this.pid);
    } catch {
      return false;
    }
  }
}

async function removeContainers(host) {
  const { body } = await callEngine(host, { path: '/containers/json?all=true' });
  const remove = ({ Id }) =>
    callEngine(host, { method: 'DELETE', path: `/containers/${Id}?force=true&v=true` });
  await Promise.all(JSON.parse(body).map(remove));
}

async function stopGuard(guard) {
  const ended = new Promise((resolve) => guard.once('exit', resolve));
  if (guard.exitCode !== null || guard.signalCode !== null) return;
  guard.ref();
  guard.stdin.end('stop\n');
  const waiting = new AbortController();
  await Promise.race([
    ended,
    delay(STOP_MS, undefined, { signal: waiting.signal }).catch(() => undefined),
  ]);
  waiting.abort();
}

/** A zombie is dead. */
function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2)[0]);
  } catch {
    return false;
  }
}

function exists(pid) {
  return pid !== undefined && existsSync(`/proc/${pid}`);
}

async function until(done, deadlineMs, what) {
  const end = performance.now() + deadlineMs;
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await delay(30);
  }
}

function lastLine(text) {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
