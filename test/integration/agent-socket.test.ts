/** Who reaches the agent's socket: tried as other users of the host. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { socketGroup } from '../../agent/api/socket-group.ts';
import { askAgent } from '../../cli/agent-socket.ts';
import { eventually } from '../kit/eventually.ts';
import { programDir } from '../kit/program-dir.ts';
import { distPath, startDist, type Program } from '../kit/program.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(180_000);

const skip = process.getuid?.() === 0 ? false : 'needs root: it becomes other users';
const NOBODY = 65_534;
/** Of nobody on this machine. */
const GROUP = 47_114;
const STRANGER = 47_115;
/** Node without what tap adds to its environment. */
const BARE = ['-i', process.execPath];

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it as `nobody` with this one group. */
function asMember(gid: number, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('/usr/bin/env', [...BARE, ...args], {
      ...{ uid: NOBODY, gid, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
    child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}

/** An agent on a folder of its own, with one plugin and no broker. */
class OwnAgent {
  readonly data: string;
  readonly #t: Teardown;
  readonly #config: string;

  constructor(t: Teardown, config: Readonly<Record<string, unknown>>) {
    const folder = programDir(t);
    chmodSync(folder, 0o711);
    this.#t = t;
    this.data = join(folder, 'agent');
    mkdirSync(this.data, { mode: 0o700 });
    this.#config = join(folder, 'agent.config.json');
    const executors = { docker: { enabled: false } };
    const nats = { servers: ['nats://127.0.0.1:9'] };
    const all = { dataDir: this.data, onStop: 'kill', executors, nats, ...config };
    writeFileSync(this.#config, JSON.stringify(all));
  }

  get socket(): string {
    return join(this.data, 'run', 'agent.sock');
  }

  async start(): Promise<Program> {
    const env = { LIMPET_LOG: 'json', LIMPET_CRASH_AT: undefined };
    const program = await startDist(this.#t, 'agent', { args: ['--config', this.#config], env });
    await eventually('the agent to answer', () => askAgent(this.data, 'GET', '/health'), 30_000);
    return program;
  }

  async stop(program: Program): Promise<void> {
    program.signal('SIGTERM');
    await program.waitForExit(30_000);
  }
}

function modeOf(path: string): string {
  const { mode, gid } = statSync(path);
  return `${(mode & 0o777).toString(8)} ${gid}`;
}

t.test('the agent’s socket is its group’s', { skip }, async (t) => {
  const agent = new OwnAgent(t, { socketGroup: String(GROUP) });
  const program = await agent.start();
  const status = [distPath('limpet.js'), 'agent', 'status', '--data', agent.data];

  await t.test('a member asks the agent, without access to anything else', async (t) => {
    const { code, stdout, stderr } = await asMember(GROUP, status);
    t.equal(stderr, '');
    t.equal(code, 0);
    t.match(stdout, /^Node +n-/);
    t.equal(modeOf(agent.socket), `660 ${GROUP}`);
    t.equal(modeOf(join(agent.data, 'run')), `710 ${GROUP}`);
    t.equal(modeOf(agent.data), `710 ${GROUP}`);
    for (const entry of readdirSync(agent.data, { withFileTypes: true }))
      if (entry.name !== 'run')
        t.equal(statSync(join(agent.data, entry.name)).mode & 0o077, 0, entry.name);
  });

  await t.test('a member reaches no socket of a plugin', async (t) => {
    const run = join(agent.data, 'run');
    const folders = readdirSync(run, { withFileTypes: true }).filter((e) => e.isDirectory());
    t.ok(folders.length >= 2, folders.map(({ name }) => name).join(' '));
    for (const { name } of folders) {
      t.equal(statSync(join(run, name)).mode & 0o777, 0o700, name);
      const list = `require('fs').readdirSync(${JSON.stringify(join(run, name))})`;
      t.match((await asMember(GROUP, ['-e', list])).stderr, /EACCES/);
    }
  });

  await t.test('anybody else is told what to do, in one line', async (t) => {
    const { code, stderr } = await asMember(STRANGER, status);
    t.equal(code, 1);
    t.match(
      stderr,
      /^error: \S+ is closed to you: add yourself to the group of the agent's socket .*, or use sudo\n$/,
    );
  });

  await agent.stop(program);

  await t.test('no start has a moment at which it is open wider', async (t) => {
    // Tries without a pause, as one who is not in the group; prints what it meets other than a closed door.
    const knock = `
      const { connect } = require('net');
      const [, socket] = process.argv;
      let count = 0;
      const met = new Set();
      const next = () => {
        const to = connect(socket, () => { met.add('open'); to.destroy(); setImmediate(next); });
        to.on('error', ({ code }) => { met.add(code); count += 1; setImmediate(next); });
      };
      next();
      process.on('SIGTERM', () => { console.log(count + ' ' + [...met].join(' ')); process.exit(); });
      console.log('knocking');`;
    const child = spawn('/usr/bin/env', [...BARE, '-e', knock, agent.socket], {
      ...{ uid: NOBODY, gid: STRANGER, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
    });
    t.teardown(() => child.kill('SIGKILL'));
    let told = '';
    child.stdout.on('data', (part: Buffer) => (told += part.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    // Only the run folder and the socket's own mode are left between them.
    chmodSync(agent.data, 0o711);
    await eventually('the first knock', () => told.includes('knocking'));
    const old = process.umask(0);
    for (let start = 0; start < 2; start += 1) await agent.stop(await agent.start());
    process.umask(old);
    child.kill('SIGTERM');
    await ended;
    t.match(told, /\n[1-9]\d* EACCES\n$/, 'never anything but a closed door');
  });
});

t.test('a group that is not there leaves the socket closed, and is told', { skip }, async (t) => {
  const agent = new OwnAgent(t, { socketGroup: 'no-such-group' });
  const program = await agent.start();
  const reason =
    "the agent's socket is open to its own user alone, not to group 'no-such-group': there is no group 'no-such-group' on this host (socketGroup)";
  t.has(await askAgent(agent.data, 'GET', '/health'), { ok: true });
  t.match(JSON.stringify(await askAgent(agent.data, 'GET', '/status')), reason);
  t.match(program.stderr, reason);
  t.match(modeOf(agent.socket), /^600 /);
  t.match(modeOf(join(agent.data, 'run')), /^700 /);
  t.match(modeOf(agent.data), /^700 /);
  await agent.stop(program);
  await t.rejects(
    new Promise((resolve, reject) => {
      connect(agent.socket, () => {
        resolve(undefined);
      }).once('error', reject);
    }),
    { code: 'ENOENT' },
  );
});

t.test('without a setting, the group is `limpet` where the agent is in it', async (t) => {
  const groups = join(tempDir(t), 'group');
  const own = process.getgid?.() ?? 0;
  writeFileSync(groups, `root:x:0:\nlimpet:x:${own}:\n`);
  t.strictSame(socketGroup(undefined, groups), { gid: own });
  writeFileSync(groups, `limpet:x:${GROUP}:\n`);
  const closed = { gid: undefined, problem: undefined };
  t.strictSame(socketGroup(undefined, groups), closed, 'the agent is not in it');
  writeFileSync(groups, 'limpets:x:0:\n');
  t.strictSame(socketGroup(undefined, groups), closed, 'there is none');
  writeFileSync(groups, `limpet:x:${own}:\n`);
  t.strictSame(socketGroup('', groups), closed, 'not wanted');
});
