import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { logFormat, pinoLog, type LogOptions } from '../../adapters/log/pino-log.ts';
import type { Logger } from '../../adapters/log/port.ts';
import { prettyLine } from '../../adapters/log/pretty-line.ts';
import { LimpetError } from '../../core/errors.ts';
import { tempDir } from '../kit/temp-dir.ts';

function written(t: Test, options: Omit<LogOptions, 'fd'>, use: (log: Logger) => void): string {
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
