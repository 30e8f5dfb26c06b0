/** A nats-server in operator mode with the files that `limpet requester init` makes, on a free loopback port. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { newKey, scopedUserJwt, type Key } from '../../adapters/authority/claims.ts';
import type { Credentials } from '../../adapters/nats/port.ts';
import { initAuthority } from '../../requester/authority/init.ts';
import { filesOf, type AuthorityFiles } from '../../requester/authority/layout.ts';
import { formatJoinToken } from '../../wire/join-token.ts';
import { freePort, natsServerPath } from './nats-server.ts';
import { programDir } from './program-dir.ts';
import { startProgram, type Program } from './program.ts';
import type { Teardown } from './teardown.ts';

export interface AuthorityBroker {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly files: AuthorityFiles;
  /** Of a node or, with the `joins` template, of a join token. */
  credentials(name: string, lifeMs: number, template?: 'agents' | 'joins'): Promise<JwtOf>;
  jwt(name: string, key: Key, lifeMs: number, template?: 'agents' | 'joins'): Promise<string>;
  /** As text; only the broker knows of it, no requester. */
  token(id: string, lifeMs: number): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
  /** On the same port; `forgetful`: with nothing of the claims that it was sent. */
  restart(how?: 'forgetful'): Promise<void>;
}
export type JwtOf = Extract<Credentials, { type: 'jwt' }>;

export async function startAuthorityBroker(
  t: Teardown,
  { tls = false } = {},
): Promise<AuthorityBroker> {
  const path = natsServerPath();
  if (path === undefined) throw new Error('no nats-server on this machine');
  const root = programDir(t);
  const folder = join(root, 'authority');
  const port = await freePort();
  const now = Date.now();
  await initAuthority({ folder, hosts: [], tls, port, dryRun: false, now });
  const files = filesOf(folder);
  const launch = async (): Promise<Program> => {
    const program = await startProgram(t, path, { args: ['-c', files.serverConfig], cwd: root });
    await program.waitFor(/Server is ready/);
    return program;
  };
  let server = await launch();
  const { account } = JSON.parse(readFileSync(files.about, 'utf8')) as { account: string };
  const jwt: AuthorityBroker['jwt'] = (name, { publicKey }, lifeMs, template = 'agents') =>
    scopedUserJwt({
      ...{ name, publicKey, account, expiresAt: Date.now() + lifeMs },
      signingSeed: readFileSync(template === 'agents' ? files.agentsKey : files.joinsKey, 'utf8'),
    });
  const credentials: AuthorityBroker['credentials'] = async (name, lifeMs, template) => {
    const key = newKey('user');
    return { type: 'jwt', jwt: await jwt(name, key, lifeMs, template), seed: key.seed };
  };
  const token: AuthorityBroker['token'] = async (id, lifeMs) => {
    const { jwt: text, seed } = await credentials(id, lifeMs, 'joins');
    const ca = tls ? { ca: readFileSync(files.caCertificate, 'utf8') } : {};
    return formatJoinToken({ id, jwt: text, seed, ...ca });
  };
  const url = `${tls ? 'tls' : 'nats'}://127.0.0.1:${port}`;
  const kill = (): Promise<void> => server.kill('SIGKILL');
  const restart: AuthorityBroker['restart'] = async (how) => {
    await kill();
    if (how === 'forgetful') rmSync(join(folder, 'nats'), { recursive: true });
    server = await launch();
  };
  const signal = (name: NodeJS.Signals): void => void server.signal(name);
  return { url, port, folder, files, credentials, jwt, token, signal, kill, restart };
}
