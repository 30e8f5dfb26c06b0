/** Who is let in, and what users may do. What `n` may do is said where the brokers are started. */
import { auth, hello, last, QUIET, step, type Behaviour } from './script.ts';

/** May do everything. */
const U = hello({ user: 'u', pass: 'secret' });
const N = hello({ user: 'n', pass: 'secret' });

export const USERS: readonly Behaviour[] = [
  auth(
    'the right password is let in',
    step('a', hello({ user: 'u', pass: 'secret' })),
    step('a', 'SUB x 1\r\nPUB x 1\r\n1\r\n'),
  ),
  auth('a wrong password is refused', last('a', hello({ user: 'u', pass: 'wrong' }))),
  auth('a wrong user is refused', last('a', hello({ user: 'v', pass: 'secret' }))),
  auth('no password is refused', last('a', QUIET)),
  auth('an operation before CONNECT is refused', last('a', 'SUB x 1\r\n')),
  auth(
    'a user listens where it may, and nowhere else',
    step('u', U),
    step('n', `${N}SUB b.n.> 1\r\nSUB b.n.x 2\r\nSUB c.* 3\r\nSUB b.n.* group 4\r\n`),
    step('n', 'SUB > 5\r\nSUB b.> 6\r\nSUB b.*.x 7\r\nSUB a.n.x 9\r\nSUB b.m.x group 10\r\n'),
    step(
      'u',
      'PUB b.n.x 1\r\n1\r\nPUB b.m.x 1\r\n2\r\nPUB a.n.x 1\r\n3\r\nPUB c.x.y 1\r\n4\r\nPUB c.x 1\r\n5\r\n',
    ),
    step('n', 'UNSUB 5\r\nUNSUB 1\r\n'),
    step('u', 'PUB b.n.y 1\r\n6\r\n'),
  ),
  auth(
    'a user says what it may, and nothing else',
    step('u', `${U}SUB > 1\r\n`),
    step('n', `${N}PUB a.n.x 1\r\n1\r\nPUB a.n 1\r\n2\r\nPUB a.m.x 1\r\n3\r\nPUB b.n.x 1\r\n4\r\n`),
    step('n', 'HPUB a.m.x 12 13\r\nNATS/1.0\r\n\r\n5\r\nPUB a.n.y reply 1\r\n6\r\n'),
  ),
  auth(
    'a user answers once where it was asked',
    step('u', `${U}SUB back.* 1\r\n`),
    step('n', `${N}SUB b.n.> 1\r\n`),
    step('n', 'PUB back.1 1\r\n0\r\n'),
    step('u', 'PUB b.n.x back.1 1\r\n?\r\nPUB b.n.x back.2 1\r\n?\r\nPUB b.m.x back.3 1\r\n?\r\n'),
    step(
      'n',
      'PUB back.2 1\r\n2\r\nPUB back.1 1\r\n1\r\nPUB back.1 1\r\n1\r\nPUB back.3 1\r\n3\r\n',
    ),
  ),
  auth(
    'a refusal takes the place of +OK',
    step('n', hello({ user: 'n', pass: 'secret', verbose: true })),
    step('n', 'SUB x 1\r\n'),
    step('n', 'PUB x 1\r\n1\r\n'),
    step('n', 'PUB a.n.x 1\r\n1\r\n'),
  ),
];
