/** A node's way in and out of a cluster with an authority, with the real programs. */
import { chmodSync, copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseJoinToken } from '../../wire/join-token.ts';
import { readUserJwt } from '../../adapters/nats/user-jwt.ts';
import { eventually } from '../kit/eventually.ts';
import { tickerJob, tickerLines } from '../kit/job-specs.ts';
import { natsServerSkip } from '../kit/nats-server.ts';
import { startSecured, type Member } from '../kit/secured.ts';

t.setTimeout(300_000);

function expiry({ credentials }: Member): number {
  return readUserJwt(credentials().jwt)?.expiresAt ?? 0;
}

/** Waits for a line of the agent's problems. */
async function says({ agent }: Member, line: RegExp): Promise<string> {
  return eventually(
    `${line.source} among its problems`,
    async () => {
      const { degraded } = await agent.status();
      const found = degraded.find((one) => line.test(one));
      if (found === undefined) throw new Error(JSON.stringify(degraded));
      return found;
    },
    30_000,
  );
}

async function linked({ agent }: Member): Promise<void> {
  await eventually('a link', async () => (await agent.status()).link.state === 'linked', 30_000);
}

t.test('a cluster with an authority', { skip: natsServerSkip() }, async (t) => {
  const site = await startSecured(t, { nodes: { credentialTtlMs: 4_000 } });
  const { cluster } = site;

  t.test('credentials are renewed under a job with its log; once over, it is told', async (t) => {
    const member = site.member('steady', await site.token());
    await member.agent.start();
    const first = expiry(member);
    const before = member.agent.log.length;
    const job = await cluster.submit(tickerJob(60));
    await cluster.running(job);
    const reader = await cluster.limpet('job', 'logs', '--follow', job);
    t.equal((await cluster.ended(job)).state, 'Completed');
    await reader.waitForExit(30_000);
    t.equal(reader.stdout, tickerLines(60), 'whole, each line once');
    t.notMatch(cluster.requester.stderr, /stream was cut|chunk/);
    t.ok(expiry(member) - first >= 4_000, 'renewed more than once');
    const log = member.agent.log.slice(before);
    t.notMatch(log, /"connected":false|heartbeat-failed/, 'no connection was lost');
    await member.agent.kill();
    await eventually('their end', () => expiry(member) < Date.now() - 1_000, 20_000);
    writeFileSync(member.tokenFile, '');
    await member.agent.launch();
    await says(member, /^the credentials of this node expired \d+ s ago: make a token/);
    writeFileSync(member.tokenFile, await site.token());
    await linked(member);
    await member.agent.end();
  });

  t.test('a node without a token says so, and works as soon as there is one', async (t) => {
    const member = site.member('late');
    await member.agent.launch();
    const line = await says(member, /asks for credentials/);
    const todo = 'make a token at the requester (`limpet node token create`) and put it into';
    t.ok(line.includes(`this node has none and no join token: ${todo} ${member.tokenFile};`), line);
    t.ok((await member.agent.status()).executors.length > 0, 'its own work goes on');
    writeFileSync(member.tokenFile, 'limpet-join-1.nonsense');
    await says(member, /late\.token: the join token is not one; copy all of what/);
    writeFileSync(member.tokenFile, await site.token());
    await member.agent.ready();
    await member.agent.hasNo('degraded');
    await member.agent.end();
  });

  t.test('a token that is used up, a requester that is away: both are told', async () => {
    const token = await site.token({ uses: 1 });
    const first = site.member('first', token);
    await first.agent.start();
    const second = site.member('second', token);
    await second.agent.launch();
    await says(second, /does not let this node join: join token jt-\w+ is used up/);
    const fresh = await site.token();
    await cluster.requester.kill();
    writeFileSync(second.tokenFile, fresh);
    await says(second, /cannot join yet, and keeps trying: nobody answers on node\.join\./);
    await cluster.startRequester();
    await linked(second);
    for (const { agent } of [first, second]) await agent.end();
  });

  t.test('a rejected node is cut off, and says why', async () => {
    const member = site.member('bad', await site.token({ uses: 5 }));
    await member.agent.start();
    await site.order((await member.agent.status()).nodeId, 'reject', 'not ours');
    await says(member, /the broker refuses the credentials of this node: it was rejected/);
    await says(member, /does not let this node join: .* rejected.*not ours/);
    await member.agent.end();
  });

  t.test('a key that others can read is refused, but not out of the unit', async (t) => {
    const member = site.member('open', await site.token());
    chmodSync(member.keyFile, 0o644);
    const program = await member.agent.launch();
    t.not((await program.waitForExit(20_000)).code, 0);
    t.match(program.stderr, /open\.nkey can be read by others \(mode 644\): `chmod 600/);
    t.notMatch(program.stderr, new RegExp(member.key.seed));
    const unit = site.member('unit', '', { nats: { servers: [site.broker.url] } });
    copyFileSync(unit.keyFile, join(cluster.folder, 'nkey'));
    chmodSync(join(cluster.folder, 'nkey'), 0o644);
    writeFileSync(join(cluster.folder, 'join-token'), await site.token());
    await unit.agent.start({ CREDENTIALS_DIRECTORY: cluster.folder });
    await unit.agent.end();
  });

  t.test('a copied identity: who loses it says so, and the node shows it', async (t) => {
    const token = await site.token({ uses: 5 });
    const original = site.member('original', token);
    await original.agent.start();
    const { nodeId } = await original.agent.status();
    const copy = site.member('copy', token);
    copyFileSync(original.keyFile, copy.keyFile);
    rmSync(copy.agent.folder, { recursive: true });
    cpSync(original.agent.folder, copy.agent.folder, {
      recursive: true,
      filter: (from) => !/agent\.json$|\/run(\/|$)|LOCK$/.test(from),
    });
    await copy.agent.launch();
    await linked(copy);
    await says(
      original,
      /(another agent has registered|a younger agent works) as .*: is this a copy of another node\?/,
    );
    await copy.agent.end();
    await original.agent.kill();
    await original.agent.start();
    // Another instance under the same id is turned away while that one is there.
    const identity = join(copy.agent.folder, 'identity.json');
    const other = readFileSync(identity, 'utf8').replace(/("instanceId": ")[^"]{4}/, '$1ffff');
    writeFileSync(identity, other);
    await copy.agent.launch();
    await says(copy, /is in use by another agent.*is this a copy of another node\?/);
    t.match((await cluster.ran('node', 'describe', nodeId)).stdout, /Copy .*copy/);
    await copy.agent.end();
    await original.agent.end();
  });
});

t.test('over TLS, with the authority out of the token', { skip: natsServerSkip() }, async (t) => {
  const site = await startSecured(t, { tls: true });
  const token = await site.token();
  const member = site.member('tls', token);
  await member.agent.start();
  t.equal(
    readFileSync(join(member.agent.folder, 'nats-ca.pem'), 'utf8'),
    readFileSync(site.broker.files.caCertificate, 'utf8'),
  );
  const secrets = [member.key.seed, token, parseJoinToken(token).seed];
  for (const secret of secrets) t.notOk(member.agent.log.includes(secret), 'no secret in the log');
});
