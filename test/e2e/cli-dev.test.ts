import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askAgent } from '../../cli/agent-socket.ts';
import { readDevFile } from '../../cli/dev/dev-file.ts';
import type { DevFile } from '../../cli/dev/dev-file.ts';
import { isAlive } from '../../cli/dev/process-identity.ts';
import { eventually } from '../kit/eventually.ts';
import { startDist } from '../kit/program.ts';
import type { Program } from '../kit/program.ts';
import { programDir } from '../kit/program-dir.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(240_000);

function limpet(t: Teardown, data: string, ...args: string[]): Promise<Program> {
  const env = { LIMPET_DATA: data, LIMPET_API: undefined, LIMPET_TOKEN: undefined };
  return startDist(t, 'limpet', { args, env });
}

async function finished(t: Teardown, data: string, ...args: string[]): Promise<Program> {
  const program = await limpet(t, data, ...args);
  await program.waitForExit(60_000);
  return program;
}

/** A folder whose dev, if one is left, is ended at teardown. */
function devFolder(t: Teardown): string {
  const data = programDir(t);
  t.teardown(() => finished({ teardown: () => undefined }, data, 'dev', '--stop'));
  return data;
}

function devOf(data: string): DevFile {
  const file = readDevFile(data);
  if (file === undefined) throw new Error(`no dev.json in ${data}`);
  return file;
}

t.test('dev in the background: found by the cli, kept alive, ended', async (t) => {
  const data = devFolder(t);
  const started = await finished(t, data, 'dev', '--detach', '--no-agent', '--broker', 'embedded');
  t.equal(started.exit?.code, 0, started.stderr);
  t.match(
    started.stdout,
    /^limpet dev is ready\n {2}broker {5}embedded, nats:\/\/127\.0\.0\.1:\d+\n/,
  );
  t.match(started.stdout, /its log is .*dev\.log\. End it: limpet dev --stop\n/);

  const nodes = await finished(t, data, 'node', 'list');
  t.equal(nodes.stderr, 'no compute nodes; start one with `limpet agent`\n');

  const second = await finished(t, data, 'dev');
  t.equal(second.exit?.code, 1);
  t.match(
    second.stderr,
    /^error: limpet dev runs already on \S+ \(pid \d+\); stop it with [^\n]+\n$/,
  );

  const before = devOf(data);
  for (const name of ['requester', 'broker']) {
    const old = before.children[name];
    if (old === undefined) throw new Error(`dev.json does not name the ${name}`);
    process.kill(old.pid, 'SIGKILL');
    await eventually(
      `the ${name} to be started again`,
      () => {
        const now = devOf(data).children[name];
        return now !== undefined && now.pid !== old.pid && isAlive(now);
      },
      15_000,
    );
  }
  await eventually(
    'the requester to answer where it was',
    async () => (await finished(t, data, 'node', 'list')).exit?.code === 0,
    20_000,
  );
  const log = readFileSync(join(data, 'dev.log'), 'utf8');
  t.match(log, /^dev {7}\| requester ended \(signal SIGKILL\); starting it again in 1 s$/m);

  const children = Object.values(devOf(data).children);
  t.equal(children.length, 2);
  const stopped = await finished(t, data, 'dev', '--stop');
  t.equal(stopped.exit?.code, 0);
  t.match(stopped.stdout, /has ended\n$/);
  t.same(children.filter(isAlive), [], 'nothing is left');
  t.notOk(existsSync(join(data, 'dev.json')));
  const again = await finished(t, data, 'dev', '--stop');
  t.equal(again.exit?.code, 0);
  t.match(again.stdout, /^no limpet dev runs on /);
});

t.test('Ctrl-C ends the agent and its plugins too', async (t) => {
  const data = devFolder(t);
  const dev = await limpet(t, data, 'dev', '--broker', 'embedded');
  await dev.waitFor(/Ctrl-C ends everything\./, 40_000);
  const file = devOf(data);
  t.same(Object.keys(file.children).sort(), ['agent', 'broker', 'requester']);
  t.equal(statSync(join(data, 'agent.config.json')).mode & 0o777, 0o600, 'it holds a password');

  const status = await finished(t, data, 'agent', 'status');
  t.match(status.stdout, /^Node {7}n-/);
  t.match(status.stdout, /^Requester {2}linked/m);
  const nodes = await finished(t, data, 'node', 'list', '-o', 'json');
  t.match(JSON.parse(nodes.stdout), [{ Info: { NodeID: file.agent?.node } }]);

  const { executors } = Object(await askAgent(join(data, 'agent'), 'GET', '/status'));
  const plugins: number[] = executors.flatMap((e: { pid?: number }) => e.pid ?? []);
  t.ok(plugins.length > 0, 'plugins run');

  dev.signal('SIGINT');
  t.same(await dev.waitForExit(60_000), { code: 0, signal: null });
  t.match(dev.stdout, /^dev {7}\| Ctrl-C; ending everything$/m);
  t.same(Object.values(file.children).filter(isAlive), []);
  await eventually(
    'the plugins to be gone',
    () => !plugins.some((pid) => existsSync(`/proc/${pid}`)),
  );
});

t.test('a dev that was killed leaves nothing that the next one stumbles over', async (t) => {
  const data = devFolder(t);
  const first = await limpet(t, data, 'dev', '--no-agent', '--broker', 'embedded');
  await first.waitFor(/Ctrl-C ends everything\./, 40_000);
  const left = Object.values(devOf(data).children);
  await first.kill('SIGKILL');
  t.equal(left.filter(isAlive).length, 2, 'its programs live on');
  const next = await finished(t, data, 'dev', '--detach', '--no-agent', '--broker', 'embedded');
  t.equal(next.exit?.code, 0, next.stderr);
  t.same(left.filter(isAlive), [], 'the next one ended them');
});

t.test('a program that cannot start ends dev with one line', async (t) => {
  const data = devFolder(t);
  const config = join(data, 'own.json');
  const missing = await finished(t, data, 'dev', '--broker', 'embedded', '--agent-config', config);
  t.equal(missing.exit?.code, 1);
  t.match(missing.stderr, /^error: \S+own\.json is not a readable JSON object: ENOENT[^\n]*\n$/);
  t.notOk(existsSync(join(data, 'dev.json')));
});
