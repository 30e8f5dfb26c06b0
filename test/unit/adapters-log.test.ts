import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  logFormat,
  pinoLog,
  type LeveledLog,
  type LogOptions,
} from '../../adapters/log/pino-log.ts';
import { prettyLine } from '../../adapters/log/pretty-line.ts';
import { LimpetError } from '../../core/errors.ts';
import { tempDir } from '../kit/temp-dir.ts';

function written(t: Test, options: Omit<LogOptions, 'fd'>, use: (log: LeveledLog) => void): string {
  const file = join(tempDir(t), 'log');
  const fd = openSync(file, 'w');
  use(pinoLog({ ...options, fd }));
  const text = readFileSync(file, 'utf8');
  closeSync(fd);
  return text;
}

t.test('one JSON object per line, written at once, ids as fields', (t) => {
  const text = written(t, { format: 'json' }, (log) => {
    log.debug('not.shown');
    log.child({ node: 'n-1' }).info('execution.started', { execution: 'e-1' });
    log.error('store.failed', { error: new LimpetError('store-failed', 'disk full') });
  });
  const lines = text
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  t.match(lines, [
    { level: 'info', event: 'execution.started', node: 'n-1', execution: 'e-1', time: Number },
    { level: 'error', event: 'store.failed', error: 'store-failed: disk full' },
  ]);
  t.equal(lines.length, 2);
  t.end();
});

t.test('the pretty form is one line for people', (t) => {
  const text = written(t, { format: 'pretty', level: 'debug' }, (log) =>
    log.warn('plugin.lost', { name: 'docker', reason: 'no answer', count: 2 }),
  );
  t.match(text, /^\d\d:\d\d:\d\d warn  plugin\.lost name=docker reason="no answer" count=2\n$/);
  t.equal(prettyLine('{"other":1}\n'), '{"other":1}\n');
  t.end();
});

t.test('LIMPET_LOG decides the form, else whether people are looking', (t) => {
  t.equal(logFormat({}, true), 'pretty');
  t.equal(logFormat({}, false), 'json');
  t.equal(logFormat({ LIMPET_LOG: 'json' }, true), 'json');
  t.equal(logFormat({ LIMPET_LOG: 'pretty' }, false), 'pretty');
  t.end();
});

t.test('the journal gets a priority before each line, and no more than the line', (t) => {
  const text = written(t, { format: 'journal', level: 'debug' }, (log) => {
    log.debug('a');
    log.info('b');
    log.warn('c', { reason: 'two\nlines' });
    log.child({ node: 'n-1' }).error('d');
  });
  const lines = text.trimEnd().split('\n');
  t.strictSame(
    lines.map((line) => line.slice(0, 3)),
    ['<7>', '<6>', '<4>', '<3>'],
  );
  t.match(JSON.parse(lines[2]?.slice(3) ?? ''), { event: 'c', reason: 'two\nlines' });
  t.end();
});

t.test('a program writes for the journal only when its own stderr leads there', (t) => {
  const fd = openSync(join(tempDir(t), 'log'), 'w');
  const { dev, ino } = fstatSync(fd);
  const env = { JOURNAL_STREAM: `${dev}:${ino}` };
  t.equal(logFormat(env, false, fd), 'journal');
  t.equal(logFormat({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, false, fd), 'json');
  t.equal(logFormat({ ...env, LIMPET_LOG: 'json' }, false, fd), 'json');
  closeSync(fd);
  t.equal(logFormat(env, false, 999), 'json', 'a closed one leads nowhere');
  t.end();
});

t.test('the level can change, for children too', (t) => {
  const text = written(t, { format: 'json', level: 'warn' }, (log) => {
    const child = log.child({ part: 'x' });
    child.info('before');
    log.setLevel('info');
    child.info('after');
    child.debug('never');
  });
  t.notMatch(text, /before|never/);
  t.match(text, /"part":"x","event":"after"/);
  t.end();
});

t.test('what is called a secret is not written', (t) => {
  const text = written(t, { format: 'json' }, (log) => {
    log.child({ nats: { password: 'hidden-1' } }).info('a', { seed: 'hidden-2', jwt: 'hidden-3' });
  });
  t.notMatch(text, /hidden/);
  t.match(text, /\[secret\]/);
  t.end();
});
