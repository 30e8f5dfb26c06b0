/** The dev broker against nats-server: the same scripts over raw TCP must give the same transcripts. */
import t from 'tap';
import { startDevBroker } from '../../adapters/dev-broker/broker.ts';
import { natsServerSkip, startNatsServer } from '../kit/nats-server.ts';
import { BEHAVIOURS } from './dev-broker/behaviours.ts';
import { MAX_PAYLOAD, type Behaviour } from './dev-broker/script.ts';
import { RawClient } from './dev-broker/raw-client.ts';

t.setTimeout(120_000);

/** What user n may do. */
const OF_N = { publish: ['a.n.>'], subscribe: ['b.n.>', 'c.*'], answerMs: 60_000 };

type Ports = Readonly<Record<Behaviour['server'], number>>;
type Transcript = readonly (readonly [step: string, heard: Readonly<Record<string, string>>])[];

async function play(port: number, behaviour: Behaviour): Promise<Transcript> {
  const clients = new Map<string, RawClient>();
  const transcript: [string, Record<string, string>][] = [];
  try {
    for (const step of behaviour.steps) {
      const known = clients.get(step.by);
      const client = known ?? new RawClient(port);
      clients.set(step.by, client);
      if (known === undefined) await client.greeted();
      await client.send(step.send);
      if (step.ends === true) await client.waitForClose();
      else if (step.part !== true) await settle(client, clients.values());
      const heard = [...clients].map(([name, each]) => [name, normal(each, behaviour)]);
      transcript.push([step.send.slice(0, 60), Object.fromEntries(heard)]);
    }
  } finally {
    for (const client of clients.values()) client.destroy();
  }
  return transcript;
}

/** Who acted is settled first, so that what the others are sent is on its way before they are asked. */
async function settle(actor: RawClient, all: Iterable<RawClient>): Promise<void> {
  await actor.settle();
  for (const other of all) if (other !== actor) await other.settle();
}

/** What is left out: the values of INFO that name the server, and pings that the server sends on its own account. */
function normal(client: RawClient, behaviour: Behaviour): string {
  const text = client.take() + (client.closed ? '<closed>' : '');
  const lines = text.split(/(?<=\r\n)/).filter((line) => line !== 'PING\r\n');
  const seen = lines.map((line) => (line.startsWith('INFO ') ? info(line.slice(5)) : line));
  if (behaviour.exception === undefined) return seen.join('');
  return seen
    .filter((line) => line !== '+OK\r\n')
    .sort()
    .join('');
}

function info(text: string): string {
  const all: Readonly<Record<string, unknown>> = JSON.parse(text);
  const { headers, max_payload, proto, auth_required } = all;
  return `INFO ${JSON.stringify({ headers, max_payload, proto, auth_required })}\r\n`;
}

async function ours(t: { teardown(fn: () => unknown): void }): Promise<Ports> {
  const limits = { maxPayloadBytes: MAX_PAYLOAD };
  const listen = { host: '127.0.0.1', port: 0, limits };
  const open = await startDevBroker(listen);
  t.teardown(() => open[Symbol.asyncDispose]());
  const auth = await startDevBroker({
    ...listen,
    authorize: (user, password) =>
      password === 'secret' && (user === 'u' || (user === 'n' && OF_N)),
  });
  t.teardown(() => auth[Symbol.asyncDispose]());
  return { open: open.port, auth: auth.port };
}

t.test('the dev broker answers as nats-server does', { skip: natsServerSkip() }, async (t) => {
  const max = `max_payload: ${MAX_PAYLOAD}\nmax_control_line: 4096`;
  const open = await startNatsServer(t, { config: max });
  const allowed = `publish: ["${OF_N.publish.join('", "')}"], subscribe: ["${OF_N.subscribe.join('", "')}"]`;
  const login = `authorization { users: [ { user: u, password: secret }, { user: n, password: secret,
    permissions: { ${allowed}, allow_responses: { max: 1, expires: "60s" } } } ] }`;
  const auth = await startNatsServer(t, { config: `${max}\n${login}` });
  const theirs: Ports = { open: open.port, auth: auth.port };
  const own = await ours(t);
  for (const behaviour of BEHAVIOURS) {
    const [expected, found] = await Promise.all([
      play(theirs[behaviour.server], behaviour),
      play(own[behaviour.server], behaviour),
    ]);
    const why = behaviour.exception === undefined ? '' : ` (but: ${behaviour.exception})`;
    t.same(found, expected, `${behaviour.name}${why}`);
  }
});
