/** How long programs of an unpacked release take to start with this Node. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const ROUNDS = 5;
const READY_MS = 60_000;
const POLL_MS = 5;
const NODE_FLAGS = ['--max-semi-space-size=2', '--single-threaded-gc'];

/** Medians, ms. `scratch` is an empty folder. */
export async function startTimes(release, scratch) {
  const version = [];
  const agent = [];
  makeCache(release);
  for (let round = 0; round < ROUNDS; round++) {
    version.push(timeVersion(release));
    agent.push(await timeAgent(release, join(scratch, `a${round}`)));
  }
  return { versionMs: median(version), agentMs: median(agent) };
}

/** As `limpet install` does. */
function makeCache(release) {
  const dist = join(release, 'dist');
  const files = ['make-code-cache.js', 'agent.cjs', 'agent.cache'].map((name) => join(dist, name));
  const args = [...NODE_FLAGS, ...files, '--help'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`no code cache: ${stderr}`);
}

function timeVersion(release) {
  const began = performance.now();
  const args = [join(release, 'bin/limpet'), '--version'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`limpet --version: ${stderr}`);
  return performance.now() - began;
}

/** Until it and its wasm plugin are ready for work; there is no broker. */
async function timeAgent(release, data) {
  mkdirSync(data);
  const config = join(data, 'config.json');
  const nats = { servers: ['nats://127.0.0.1:9'] };
  writeFileSync(config, JSON.stringify({ nats, executors: { docker: { enabled: false } } }));
  const args = [join(release, 'dist/agent.js'), '--config', config, '--data', data];
  const began = performance.now();
  const agent = spawn(process.execPath, [...NODE_FLAGS, ...args], { stdio: 'ignore' });
  const ended = new Promise((resolve) => agent.once('exit', resolve));
  try {
    await ready(agent, data);
    return performance.now() - began;
  } finally {
    await ask(data, 'POST', '/stop', { mode: 'kill' }).catch(() => agent.kill('SIGKILL'));
    await ended;
  }
}

async function ready(agent, data) {
  const until = performance.now() + READY_MS;
  while (performance.now() < until) {
    const status = await ask(data, 'GET', '/status').catch(() => undefined);
    if (status?.readyMs !== undefined) return;
    if (agent.exitCode !== null) throw new Error(`the agent has ended with ${agent.exitCode}`);
    await setTimeout(POLL_MS);
  }
  throw new Error(`the agent is not ready after ${READY_MS} ms`);
}

async function ask(data, method, path, body) {
  const { socket } = JSON.parse(readFileSync(join(data, 'agent.json'), 'utf8'));
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, method, path }, async (response) => {
      let text = '';
      for await (const part of response.setEncoding('utf8')) text += part;
      resolve(JSON.parse(text));
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
