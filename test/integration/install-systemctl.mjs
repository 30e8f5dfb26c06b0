#!/usr/bin/env node
/**
 * The service manager of a host below a folder (LIMPET_TEST_ROOT): knows the units of limpet, keeps one process for each,
 * and answers `start` and `restart` when the service is ready, as systemd does with Type=notify. What is not ready it waits for.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const root = process.env.LIMPET_TEST_ROOT;
const [verb, unit = ''] = process.argv.slice(2);
const state = join(root, 'run/systemctl');
const data = join(root, 'var/lib/limpet/agent');
const [pidFile, enabledFile] = ['pid', 'enabled'].map((kind) => join(state, `${unit}.${kind}`));
mkdirSync(state, { recursive: true });
appendFileSync(join(state, 'calls'), `${[verb, unit].join(' ').trim()}\n`);

if (verb === 'is-active') say(isAlive(pid()), 'active', 'inactive');
else if (verb === 'is-enabled') say(existsSync(enabledFile), 'enabled', 'disabled');
else if (verb === 'enable') writeFileSync(enabledFile, '');
else if (verb === 'disable') rmSync(enabledFile, { force: true });
else if (verb === 'stop') await stop();
else if (verb === 'start' || verb === 'restart') {
  await stop();
  process.exitCode = await start();
}

function say(yes, one, other) {
  console.log(yes ? one : other);
  process.exitCode = yes ? 0 : 3;
}

function pid() {
  return existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : undefined;
}

function isAlive(id) {
  return id !== undefined && /^State:\s+[^ZX]/m.test(read(`/proc/${id}/status`));
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Of the main process alone, as KillMode=process has it. */
async function stop() {
  const id = pid();
  for (let waited = 0; isAlive(id); waited += 50) {
    process.kill(id, waited < 10_000 ? 'SIGTERM' : 'SIGKILL');
    await setTimeout(50);
  }
  rmSync(pidFile, { force: true });
}

async function start() {
  mkdirSync(data, { recursive: true });
  rmSync(join(data, 'agent.json'), { force: true });
  const program = join(root, 'opt/limpet/current/dist/agent.js');
  const config = join(root, 'etc/limpet/agent.config.json');
  const log = openSync(join(state, 'log'), 'a');
  const flags = ['--max-semi-space-size=2', '--single-threaded-gc'];
  const args = [...flags, program, '--config', config, '--data', data];
  const agent = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log] });
  writeFileSync(pidFile, String(agent.pid));
  agent.unref();
  while (isAlive(agent.pid)) {
    if (read(join(data, 'agent.json')).includes(`"pid":${agent.pid}`)) return 0;
    await setTimeout(20);
  }
  console.error(`Job for ${unit} failed because the control process exited with error code.`);
  return 1;
}
