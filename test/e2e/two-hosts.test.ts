/** docs/two-hosts.md, with the plain commands, on two hosts that share nothing but a cable. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { askAgent } from '../../cli/agent-socket.ts';
import { eventually } from '../kit/eventually.ts';
import { tickerJob, tickerLines } from '../kit/job-specs.ts';
import { killProcessesOf } from '../kit/leftovers.ts';
import { natsServerPath, natsServerSkip } from '../kit/nats-server.ts';
import { programDir } from '../kit/program-dir.ts';
import { namespaceSkip, twoHosts, type NetHost } from '../kit/two-hosts.ts';

t.setTimeout(300_000);

const status = z.looseObject({ link: z.looseObject({ state: z.string() }) });

t.test('two hosts', { skip: natsServerSkip() || namespaceSkip() }, async (t) => {
  const [first, second] = await twoHosts(t);
  const folder = programDir(t);
  t.teardown(() => killProcessesOf(folder));
  const at = (name: string): string => join(folder, name);
  const write = (name: string, content: unknown): string => {
    writeFileSync(at(name), JSON.stringify(content));
    return at(name);
  };
  const limpet = async (host: NetHost, ...args: string[]): Promise<string> => {
    const env = { LIMPET_DATA: folder, LIMPET_API: undefined, LIMPET_TOKEN: undefined };
    const program = await host.dist('limpet', { args, env, cwd: folder });
    const { code } = await program.waitForExit(60_000);
    if (code !== 0) throw new Error(`limpet ${args.join(' ')}: ${program.stderr}`);
    return program.stdout;
  };
  const broker = `tls://${first.address}:4222`;

  // On the first: authority, broker, requester.
  await limpet(first, 'requester', 'init', '--folder', at('authority'), '--host', first.address);
  const nats = await first.start(natsServerPath() ?? 'nats-server', {
    args: ['-c', at('authority/nats-server.conf')],
    cwd: folder,
  });
  await nats.waitFor(/Server is ready/, 30_000);
  const nodes = { heartbeatIntervalMs: 500, unknownAfterMs: 1_500, unhealthyAfterMs: 60_000 };
  const requesterConfig = write('requester.json', {
    nats: { servers: [broker] },
    authority: at('authority'),
    nodes,
    http: { port: 0 },
  });
  mkdirSync(at('requester'));
  const args = ['--config', requesterConfig, '--data', at('requester')];
  await first.dist('requester', { args });
  const token = await eventually('a token', () => limpet(first, 'node', 'token', 'create'), 60_000);

  // On the second: a key, the token, the agent.
  await limpet(second, 'agent', 'key', at('node.nkey'));
  writeFileSync(at('join.token'), token, { mode: 0o600 });
  const agentConfig = write('agent.json', {
    dataDir: at('agent'),
    name: 'second',
    nats: {
      servers: [broker],
      keyFile: at('node.nkey'),
      joinTokenFile: at('join.token'),
      pingIntervalMs: 500,
      requestTimeoutMs: 1_000,
    },
    executors: { docker: { enabled: false } },
  });
  const agent = await second.dist('agent', { args: ['--config', agentConfig] });
  const linked = (state: boolean): Promise<unknown> =>
    eventually(
      `a link: ${state}`,
      async () => {
        const now = status.parse(await askAgent(at('agent'), 'GET', '/status'));
        if ((now.link.state === 'linked') !== state) throw new Error(JSON.stringify(now));
        return true;
      },
      60_000,
    );
  await linked(true);
  t.match(await limpet(first, 'node', 'list'), /approved +connected/);

  await t.test('a job, with its log, while the cable is cut and plugged in again', async (t) => {
    const job = write('job.json', tickerJob(40));
    const id = (await limpet(first, 'job', 'run', '--id-only', job)).trim();
    await eventually(
      'the run',
      async () => (await limpet(first, 'job', 'logs', id)).includes('line 2\n'),
      60_000,
    );
    first.unplug();
    await linked(false);
    await eventually(
      'its absence at the requester',
      async () => /disconnected/.test(await limpet(first, 'node', 'list')),
      60_000,
    );
    first.plugIn();
    await linked(true);
    t.equal(await limpet(first, 'job', 'logs', '--follow', id), tickerLines(40));
    t.match(await limpet(first, 'job', 'executions', id), /completed/i);
  });

  await t.test('nothing of it is on the machine’s own network', (t) => {
    const sockets = readFileSync('/proc/self/net/tcp', 'utf8');
    t.notMatch(sockets, /0100004D0A|01004D0A/);
    t.end();
  });
  await askAgent(at('agent'), 'POST', '/stop', { mode: 'kill' });
  await agent.waitForExit(30_000);
});
