/** Every family of problems that the programs show has its line in the troubleshooting page, in the words that they use. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Where it is made, and what stands in the page. */
const FAMILIES: readonly (readonly [file: string, words: string])[] = [
  ['agent/api/status-of.ts', 'link to the requester:'],
  ['agent/api/status-of.ts', 'bytes of reports wait for the requester'],
  ['agent/api/status-of.ts', 'records could not be read and are in quarantine'],
  ['agent/api/status-of.ts', 'drained since'],
  ['agent/api/status-of.ts', 'the config was read again at'],
  ['requester/reload.ts', 'the config was read again at'],
  ['agent/link/unreadable.ts', 'of the requester could not be followed and were passed over'],
  ['agent/store-watch.ts', 'the disk of'],
  ['agent/store-watch.ts', 'the store cannot be written'],
  ['requester/compose.ts', 'the store cannot be written'],
  ['adapters/store/set-aside.ts', 'the store was damaged'],
  ['agent/api/store-problems.ts', 'at this start the store had lost something'],
  ['agent/api/store-problems.ts', 'not started before the owner has told how far they were'],
  ['agent/unit/kills-work.ts', 'the unit'],
  ['agent/api/socket-group.ts', "the agent's socket is open to its own user alone"],
  ['agent/join/problems.ts', 'asks for credentials, and this node has none'],
  ['agent/join/problems.ts', 'the join token'],
  ['agent/join/problems.ts', 'the credentials of this node'],
  ['agent/join/problems.ts', 'the clock of this host is'],
  ['agent/join/node-credentials.ts', 'the requester does not let this node join'],
  ['agent/join/node-credentials.ts', 'this node cannot join yet, and keeps trying'],
  ['adapters/nats/denials.ts', 'the broker does not allow this program to'],
  ['requester/authority/claims-push.ts', 'the broker was not told which keys are void'],
  [
    'requester/nodes/roll-call.ts',
    'the store is an older copy: work of before the start is not placed',
  ],
];

t.test('every family of problems has its line in troubleshooting', (t) => {
  const page = read('docs/troubleshooting.md');
  const table = page.slice(page.indexOf('## Problems that'), page.indexOf('## A job that waits'));
  for (const [file, words] of FAMILIES) {
    t.ok(read(file).includes(words), `${file} says '${words}'`);
    t.ok(table.includes(`| \`${words}`), `the page has '${words}'`);
  }
  for (const health of ['unhealthy', 'undetected'])
    t.ok(table.includes(`is ${health}\``), `an executor that is ${health}`);
  t.end();
});

t.test('every setting that a reload takes at once stands in the operating page', (t) => {
  const page = read('docs/operating.md');
  for (const file of ['agent/reload.ts', 'requester/reload.ts']) {
    const [, list = ''] = /const LIVE = \[(.*?)\];/s.exec(read(file)) ?? [];
    const names = [...list.matchAll(/'([^']+)'/g)].map(([, name = '']) => name);
    t.ok(names.length > 3, `${file} has a list`);
    for (const name of names) t.ok(page.includes(`\`${name}\``), `${file}: ${name}`);
  }
  t.end();
});
