/** Who may talk at the broker of `limpet dev`, tried by others on this machine while a job works and its log is read. */
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { askOnce } from '../../adapters/nats/ask-once.ts';
import type { Credentials } from '../../adapters/nats/port.ts';
import { readDevFile } from '../../cli/dev/dev-file.ts';
import { uuidV7 } from '../../core/ids.ts';
import {
  ANYBODYS,
  intrude,
  listen,
  open,
  SAID_BY_NOBODY,
  say,
  subjectsOf,
  type Intruder,
} from '../kit/intruder.ts';
import { tickerJob, tickerLines } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { startDist, type Program } from '../kit/program.ts';
import { programDir } from '../kit/program-dir.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(300_000);

const configSchema = z.object({
  nats: z.object({ servers: z.tuple([z.string()]), user: z.string(), password: z.string() }),
});
type Login = z.infer<typeof configSchema>['nats'];

const BROKERS = [
  { kind: 'nats-server', skip: natsServerSkip() },
  { kind: 'embedded', skip: false },
] as const;

class Dev {
  readonly data: string;
  readonly #t: Teardown;

  constructor(t: Teardown) {
    this.#t = t;
    this.data = programDir(t);
    t.teardown(() => this.limpet('dev', '--stop').then((stopping) => stopping.waitForExit(90_000)));
    writeFileSync(
      join(this.data, 'own.json'),
      JSON.stringify({ executors: { docker: { enabled: false } } }),
    );
  }

  /** It is ready. */
  async start(...args: readonly string[]): Promise<void> {
    await this.done('dev', '--detach', '--agent-config', join(this.data, 'own.json'), ...args);
  }

  limpet(...args: readonly string[]): Promise<Program> {
    const env = { LIMPET_DATA: this.data, LIMPET_API: undefined, LIMPET_TOKEN: undefined };
    return startDist({ teardown: (end) => this.#t.teardown(end) }, 'limpet', { args, env });
  }

  /** What it has printed. */
  async done(...args: readonly string[]): Promise<string> {
    const program = await this.limpet(...args);
    const { code } = await program.waitForExit(120_000);
    if (code !== 0) throw new Error(`limpet ${args.join(' ')}: ${program.stderr}`);
    return program.stdout;
  }

  login(program: 'agent' | 'requester'): Login {
    const text = readFileSync(join(this.data, `${program}.config.json`), 'utf8');
    return configSchema.parse(JSON.parse(text)).nats;
  }

  get node(): string {
    return readDevFile(this.data)?.agent?.node ?? '';
  }
}

async function come(t: Test, { servers, user, password }: Login): Promise<Intruder> {
  return intrude(t, servers[0], { user, pass: password });
}

/** As a program of ours that has these, or none. */
async function ask(url: string, credentials?: Credentials): Promise<unknown> {
  const options = { servers: [url], name: 'stranger', inboxPrefix: '_INBOX.stranger' };
  const question = { subject: 'x', payload: new Uint8Array(), timeoutMs: 10_000 };
  return askOnce({ ...options, credentials: () => credentials }, question);
}

for (const { kind, skip } of BROKERS)
  t.test(`limpet dev with ${kind}`, { skip }, async (t) => {
    const dev = new Dev(t);
    await dev.start('--broker', kind);
    const [agent, requester] = [dev.login('agent'), dev.login('requester')];
    const [url] = agent.servers;
    const job = join(dev.data, 'job.json');
    writeFileSync(job, JSON.stringify(tickerJob(30)));

    t.test('lets nobody in without a password, and says so', async (t) => {
      const stranger = { type: 'password', user: agent.user, password: 'wrong' } as const;
      await t.rejects(intrude(t, url, {}), /Authorization Violation/);
      await t.rejects(intrude(t, url, { user: agent.user, pass: requester.password }));
      await t.rejects(ask(url), {
        code: 'permission-denied',
        message: `permission-denied: the broker ${url} refuses a program without credentials`,
      });
      await t.rejects(ask(url, stranger), {
        code: 'permission-denied',
        message: `permission-denied: the broker ${url} refuses these credentials of user ${dev.node}`,
      });
    });

    t.test('lets the agent be nobody else', async (t) => {
      t.equal(agent.user, dev.node);
      const other = subjectsOf(`n-${uuidV7(Date.now(), new Uint8Array(10))}`);
      const mine = subjectsOf(dev.node);
      const node = await come(t, agent);
      const listened = [...ANYBODYS, ...other.toIt, ...other.byIt, ...mine.byIt, '_INBOX.n-1.>'];
      const said = [...SAID_BY_NOBODY, ...other.toIt, ...other.byIt, ...mine.toIt];
      listen(node, listened);
      say(node, said);
      await node.judged();
      t.strictSame(open(node, 'subscription', listened), [], 'it listens to nothing foreign');
      t.strictSame(open(node, 'publish', said), [], 'and says nothing in another name');

      const free = await come(t, agent);
      listen(free, [...mine.toIt, `node.compute.${dev.node}.>`, `_INBOX.${dev.node}.>`]);
      say(free, mine.byIt);
      await free.judged();
      t.strictSame([...free.refused], [], 'what is its own it may');
      await free.nats.close();

      const printed = await dev.done('job', 'run', '--follow', job);
      t.match(printed, tickerLines(30), 'work, and its log, go on');
      await node.judged();
      t.strictSame(node.got, []);
    });

    t.test('lets the requester reach nodes, and be none', async (t) => {
      const other = subjectsOf(dev.node);
      const boss = await come(t, requester);
      const [listened, said] = [[...other.toIt, `_INBOX.${dev.node}.>`], other.byIt];
      listen(boss, listened);
      say(boss, said);
      await boss.judged();
      t.strictSame(open(boss, 'subscription', listened), []);
      t.strictSame(open(boss, 'publish', said), []);
    });

    t.test('shows its passwords to nobody', async (t) => {
      const list = kind === 'embedded' ? 'nats/users.json' : 'nats/nats.conf';
      const secret = [list, 'agent.config.json', 'requester.config.json'];
      for (const name of secret) t.equal(statSync(join(dev.data, name)).mode & 0o777, 0o600, name);
      t.equal(statSync(join(dev.data, 'nats')).mode & 0o777, 0o700);
      const file = readDevFile(dev.data);
      if (file === undefined) throw new Error('no dev.json');
      const shown = [file.dev, ...Object.values(file.children)].flatMap(({ pid }) =>
        ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8')),
      );
      t.equal(shown.length, 8);
      shown.push(readFileSync(join(dev.data, 'dev.log'), 'utf8'));
      for (const { password } of [agent, requester]) {
        t.ok(password.length >= 32);
        t.notOk(shown.some((text) => text.includes(password)));
      }
    });
  });

t.test('a folder from before there were users is taken over', async (t) => {
  const dev = new Dev(t);
  await dev.start('--broker', 'embedded');
  const { node } = dev;
  const job = join(dev.data, 'job.json');
  writeFileSync(job, JSON.stringify(tickerJob(1)));
  const id = (await dev.done('job', 'run', '--wait', '--id-only', job)).trim();
  const before = dev.login('agent');
  await dev.done('dev', '--stop');
  // As they were written then, and open to all.
  const nats = { ...before, user: 'limpet', password: 'of-all' };
  for (const name of ['agent.config.json', 'requester.config.json']) {
    writeFileSync(join(dev.data, name), JSON.stringify({ nats }));
    chmodSync(join(dev.data, name), 0o644);
  }

  await dev.start('--broker', 'embedded', '--no-agent');
  const { servers, user, password } = dev.login('agent');
  t.equal(user, node, 'the agent is who it was');
  t.not(password, before.password);
  t.equal(statSync(join(dev.data, 'agent.config.json')).mode & 0o777, 0o600);
  for (const old of [before, nats])
    await t.rejects(intrude(t, servers[0], { user: old.user, pass: old.password }));

  const agent = await dev.limpet('agent', '--config', join(dev.data, 'agent.config.json'));
  await agent.waitFor(/"state":"linked"/, 60_000);
  await dev.done('job', 'run', '--wait', job);
  t.match(await dev.done('job', 'list', '--output', 'json'), id, 'and its jobs are there');
  const ended = await dev.limpet('agent', 'stop', '--kill');
  await ended.waitForExit(60_000);
  await agent.waitForExit(60_000);
});
