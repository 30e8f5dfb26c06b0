/**
 * What is asked of both brokers, as scripts over raw TCP. After each step every client is settled by a PING, unless the
 * step ends the connection (`ends`) or leaves a frame half sent (`part`). The transcript of all clients is compared.
 */
import {
  excepted,
  hello,
  last,
  MAX_PAYLOAD,
  open,
  part,
  QUIET,
  step,
  type Behaviour,
} from './script.ts';
import { USERS } from './users.ts';

const LOST_OK = 'nats-server may drop or reorder a queued +OK when it writes -ERR and closes';

export const BEHAVIOURS: readonly Behaviour[] = [
  open('PING is answered by PONG', step('a', QUIET), step('a', 'PING\r\n')),
  open('PING is answered before CONNECT', step('a', 'PING\r\n')),
  open('verbose is the default without CONNECT', step('a', 'SUB x 1\r\nPUB x 2\r\nhi\r\n')),
  open('verbose is the default when CONNECT omits it', step('a', 'CONNECT {}\r\nSUB x 1\r\n')),
  open(
    'verbose answers +OK to each operation',
    step('a', hello({ verbose: true })),
    step('a', 'SUB x 1\r\nUNSUB 1\r\nPUB x 0\r\n\r\n'),
  ),
  open(
    'a message reaches its subscriber',
    step('a', QUIET),
    step('b', QUIET),
    step('a', 'SUB x 7\r\n'),
    step('b', 'PUB x 5\r\nhello\r\n'),
  ),
  open(
    'a reply subject is passed on',
    step('a', `${QUIET}SUB x 7\r\n`),
    step('b', `${QUIET}PUB x back.1 5\r\nhello\r\n`),
  ),
  open(
    'an empty payload is a message',
    step('a', `${QUIET}SUB x 7\r\n`),
    step('a', 'PUB x 0\r\n\r\n'),
  ),
  open(
    'a payload may hold CRLF and operations',
    step('a', `${QUIET}SUB x 7\r\n`),
    step('a', 'PUB x 12\r\nPING\r\nPUB x\r\r\n'),
  ),
  open('a publisher hears itself by default', step('a', `${QUIET}SUB x 7\r\nPUB x 1\r\n1\r\n`)),
  open(
    'echo false: a publisher does not hear itself',
    step('a', `${hello({ echo: false })}SUB x 7\r\n`),
    step('b', `${QUIET}SUB x 3\r\n`),
    step('a', 'PUB x 1\r\n1\r\n'),
  ),
  open(
    '* is exactly one token',
    step('a', `${QUIET}SUB a.*.c 1\r\n`),
    step('a', 'PUB a.b.c 1\r\n1\r\nPUB a.c 1\r\n2\r\nPUB a.b.b.c 1\r\n3\r\nPUB a.b 1\r\n4\r\n'),
  ),
  open(
    '> is one token or more',
    step('a', `${QUIET}SUB a.> 1\r\n`),
    step('a', 'PUB a 1\r\n1\r\nPUB a.b 1\r\n2\r\nPUB a.b.c 1\r\n3\r\nPUB b.a 1\r\n4\r\n'),
  ),
  open(
    '> alone is everything',
    step('a', `${QUIET}SUB > 1\r\n`),
    step('a', 'PUB a 1\r\n1\r\nPUB b.c 1\r\n2\r\n'),
  ),
  open(
    '* alone is one token',
    step('a', `${QUIET}SUB * 1\r\n`),
    step('a', 'PUB a 1\r\n1\r\nPUB b.c 1\r\n2\r\n'),
  ),
  open(
    'wildcard characters inside a token are plain',
    step('a', `${QUIET}SUB a*b 1\r\nSUB a.b>c 2\r\n`),
    step('a', 'PUB axb 1\r\n1\r\nPUB a*b 1\r\n2\r\nPUB a.b>c 1\r\n3\r\n'),
  ),
  open(
    'subjects are compared with regard to case',
    step('a', `${QUIET}SUB Foo 1\r\n`),
    step('a', 'PUB foo 1\r\n1\r\nPUB Foo 1\r\n2\r\n'),
  ),
  open(
    'a queue group of one connection gets each message once',
    step('a', `${QUIET}SUB x q 1\r\n`),
    step('b', `${QUIET}PUB x 1\r\n1\r\nPUB x 1\r\n2\r\n`),
  ),
  open(
    'a queue group and a plain subscription both get it',
    step('a', `${QUIET}SUB x q 1\r\n`),
    step('b', `${QUIET}SUB x 2\r\n`),
    step('c', `${QUIET}PUB x 1\r\n1\r\n`),
  ),
  open(
    'two queue groups both get it',
    step('a', `${QUIET}SUB x q1 1\r\n`),
    step('b', `${QUIET}SUB x q2 2\r\n`),
    step('c', `${QUIET}PUB x 1\r\n1\r\n`),
  ),
  open(
    'UNSUB ends a subscription',
    step('a', `${QUIET}SUB x 1\r\nPUB x 1\r\n1\r\nUNSUB 1\r\nPUB x 1\r\n2\r\n`),
  ),
  open(
    'UNSUB with a maximum ends it after that many',
    step('a', `${QUIET}SUB x 1\r\nUNSUB 1 2\r\n`),
    step('a', 'PUB x 1\r\n1\r\nPUB x 1\r\n2\r\nPUB x 1\r\n3\r\n'),
  ),
  open(
    'UNSUB with a maximum already reached ends it at once',
    step('a', `${QUIET}SUB x 1\r\nPUB x 1\r\n1\r\nPUB x 1\r\n2\r\nUNSUB 1 2\r\nPUB x 1\r\n3\r\n`),
  ),
  open('UNSUB of an unknown id is nothing', step('a', `${QUIET}UNSUB 99\r\n`)),
  open(
    'a second SUB of one id is nothing',
    step('a', `${QUIET}SUB x 1\r\nSUB y 1\r\nPUB y 1\r\n1\r\nPUB x 1\r\n2\r\n`),
  ),
  open(
    'headers are passed on',
    step('a', `${QUIET}SUB x 1\r\n`),
    step('b', `${QUIET}HPUB x 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n`),
  ),
  open(
    'headers with a reply are passed on',
    step('a', `${QUIET}SUB x 1\r\n`),
    step('b', `${QUIET}HPUB x r.1 18 18\r\nNATS/1.0\r\nA: b\r\n\r\n\r\n`),
  ),
  open(
    'headers are taken off for a client without them',
    step('a', `${hello({ headers: false, no_responders: false })}SUB x 1\r\n`),
    step('b', `${QUIET}HPUB x 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n`),
  ),
  open(
    'HPUB of a client without headers ends it',
    step('a', hello({ headers: false, no_responders: false })),
    last('a', 'HPUB x 18 18\r\nNATS/1.0\r\nA: b\r\n\r\n\r\n'),
  ),
  open(
    'no responders: 503 at once',
    step('a', `${QUIET}SUB inbox.* 1\r\n`),
    step('a', 'PUB nobody inbox.1 2\r\nhi\r\n'),
  ),
  open(
    'no responders: nothing for a client that did not ask',
    step('a', `${hello({ no_responders: false })}SUB inbox.* 1\r\n`),
    step('a', 'PUB nobody inbox.1 2\r\nhi\r\n'),
  ),
  open(
    'no responders: nothing without a reply subject',
    step('a', `${QUIET}SUB inbox.* 1\r\n`),
    step('a', 'PUB nobody 2\r\nhi\r\n'),
  ),
  open('no responders without headers is refused', last('a', hello({ headers: false }))),
  open(
    'request and reply',
    step('a', `${QUIET}SUB service 1\r\n`),
    step('b', `${QUIET}SUB inbox.b.* 9\r\nPUB service inbox.b.1 1\r\n?\r\n`),
    step('a', 'PUB inbox.b.1 1\r\n!\r\n'),
  ),
  open(
    'a payload at the limit passes',
    step('a', `${QUIET}SUB x 1\r\nPUB x ${MAX_PAYLOAD}\r\n${'p'.repeat(MAX_PAYLOAD)}\r\n`),
  ),
  open(
    'a payload above the limit ends the connection',
    step('a', QUIET),
    last('a', `PUB x ${MAX_PAYLOAD + 1}\r\n`),
  ),
  open(
    'a control line above 4 KiB ends the connection',
    step('a', QUIET),
    last('a', `PUB ${'x'.repeat(5_000)}`),
  ),
  open(
    'a bad subject of SUB is refused, the connection stays',
    step('a', QUIET),
    step('a', 'SUB a..b 1\r\n'),
    step('a', 'SUB .a 2\r\n'),
    step('a', 'SUB a. 3\r\n'),
    step('a', 'SUB >.a 4\r\n'),
    step('a', 'SUB ok 5\r\nPUB ok 1\r\n1\r\n'),
  ),
  open(
    'a bad subject of SUB in verbose mode',
    step('a', hello({ verbose: true })),
    step('a', 'SUB a..b 1\r\n'),
  ),
  open(
    'pedantic: a publish to a wildcard is told',
    step('a', hello({ pedantic: true })),
    step('a', 'PUB a.* 1\r\n1\r\n'),
  ),
  open(
    'not pedantic: a publish to a wildcard is no error',
    step('a', `${QUIET}SUB a.> 1\r\n`),
    step('a', 'PUB a.* 1\r\n1\r\n'),
  ),
  open('an unknown operation ends the connection', step('a', QUIET), last('a', 'HELLO\r\n')),
  open('SUB without an id ends the connection', step('a', QUIET), last('a', 'SUB x\r\n')),
  open(
    'SUB with too many words ends the connection',
    step('a', QUIET),
    last('a', 'SUB x q 1 2\r\n'),
  ),
  open('PUB without a size ends the connection', step('a', QUIET), last('a', 'PUB x\r\n')),
  open('PUB with a negative size ends the connection', step('a', QUIET), last('a', 'PUB x -1\r\n')),
  open(
    'PUB with a size that is no number ends the connection',
    step('a', QUIET),
    last('a', 'PUB x two\r\n'),
  ),
  open(
    'HPUB with more header than payload ends the connection',
    step('a', QUIET),
    last('a', 'HPUB x 20 10\r\n'),
  ),
  open(
    'a payload longer than its size ends the connection',
    step('a', QUIET),
    last('a', 'PUB x 2\r\nhello\r\n'),
  ),
  open('CONNECT that is no JSON ends the connection', last('a', 'CONNECT hello\r\n')),
  excepted(
    LOST_OK,
    open(
      'an error in verbose mode',
      step('a', hello({ verbose: true })),
      last('a', 'SUB x 1\r\nHELLO\r\n'),
    ),
  ),
  open(
    'operations match without regard to case',
    step('a', QUIET),
    step('a', 'sub x 1\r\nPub x 1\r\n1\r\nping\r\nunsub 1\r\n'),
  ),
  open(
    'words are parted by any number of blanks and tabs',
    step('a', QUIET),
    step('a', 'SUB   x \t 1\r\nPUB  x \t  1\r\n1\r\n'),
  ),
  open(
    'a frame may come in pieces',
    step('a', QUIET),
    part('a', 'SU'),
    part('a', 'B x 1'),
    step('a', '\r\n'),
    part('a', 'PUB x 1'),
    part('a', '0\r\n01234'),
    part('a', '56789\r'),
    step('a', '\n'),
  ),
  open(
    'several frames may come at once',
    step('a', `${QUIET}SUB x 1\r\nPUB x 1\r\n1\r\nPUB x 1\r\n2\r\nPING\r\nPUB x 1\r\n3\r\n`),
  ),
  open(
    'a second CONNECT changes the options',
    step('a', QUIET),
    step('a', hello({ verbose: true })),
    step('a', 'SUB x 1\r\n'),
  ),
  ...USERS,
];
