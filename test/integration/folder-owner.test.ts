/** Root on the folder of a service: nothing is written there that the service's user could not read. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDist } from '../kit/program.ts';
import { programDir } from '../kit/program-dir.ts';
import type { Teardown } from '../kit/teardown.ts';

t.setTimeout(120_000);

const skip = process.getuid?.() === 0 ? false : 'needs root: it gives a folder to another user';
const NOBODY = 65_534;
const EXIT_MS = 60_000;

const IDENTITY = {
  ...{ v: 1, nodeId: 'n-owned', instanceId: 'i-owned', machineId: 'another-machine' },
  ...{ generation: 0, createdAt: 1 },
};

/** A folder of `nobody`, with who the agent is. */
function foldersOfNobody(t: Teardown): { readonly data: string; readonly identity: string } {
  const parent = programDir(t);
  chmodSync(parent, 0o711);
  const data = join(parent, 'agent');
  mkdirSync(data, { mode: 0o700 });
  const identity = join(data, 'identity.json');
  writeFileSync(identity, JSON.stringify(IDENTITY), { mode: 0o600 });
  for (const path of [data, identity]) chownSync(path, NOBODY, NOBODY);
  return { data, identity };
}

t.test(
  'an agent that root starts on it ends in one line, and writes nothing',
  { skip },
  async (t) => {
    const { data, identity } = foldersOfNobody(t);
    const program = await startDist(t, 'agent', { args: ['--data', data] });
    t.match(await program.waitForExit(EXIT_MS), { code: 1 });
    t.match(
      program.stderr,
      /identity\.json is user 65534's, and this is root: .*systemctl start limpet-agent/,
    );
    t.strictSame(readdirSync(data), ['identity.json']);
    t.strictSame(JSON.parse(readFileSync(identity, 'utf8')), IDENTITY);
  },
);

t.test('an order that root gives is carried out as that user', { skip }, async (t) => {
  const { data, identity } = foldersOfNobody(t);
  const args = ['agent', 'adopt-host', '--data', data];
  const program = await startDist(t, 'limpet', { args });
  t.match(await program.waitForExit(EXIT_MS), { code: 0 });
  t.match(program.stdout, /changed machine another-/);
  t.equal(statSync(identity).uid, NOBODY);
});

t.test('a requester that root starts on it ends in one line', { skip }, async (t) => {
  const { data } = foldersOfNobody(t);
  const token = join(data, 'token');
  writeFileSync(token, `${'x'.repeat(40)}\n`);
  chownSync(token, NOBODY, NOBODY);
  const program = await startDist(t, 'requester', { args: ['--data', data] });
  t.match(await program.waitForExit(EXIT_MS), { code: 1 });
  t.match(
    program.stderr,
    /token is user 65534's, and this is root: .*systemctl start limpet-requester/,
  );
  t.strictSame(readdirSync(data).sort(), ['identity.json', 'token']);
});
