/** `limpet plugin logs`, over the socket and beside it. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import t from 'tap';
import { boundLog } from '../../agent/plugins/plugin-log.ts';
import { run } from '../../cli/run.ts';
import { eventually } from '../kit/eventually.ts';
import { agentOf, HCLOG, NOW, sink } from './plugin-commands-kit.ts';

t.setTimeout(120_000);

t.test("a plugin's log for people, and as it is", async (t) => {
  const { plugin, logFile } = await agentOf(t);
  t.strictSame(await plugin('logs', 'docker'), { code: 0, stdout: '', stderr: '' }, 'none yet');
  writeFileSync(logFile('docker'), `first\n${HCLOG}\n{"not":"a log"}\nno end`);
  t.equal(
    (await plugin('logs', 'docker')).stdout,
    [
      'first',
      '2026-03-01 11:59:58.123 warn  docker: pull is slow image=busybox tries=2 why="no answer"',
      '{"not":"a log"}',
      'no end\n',
    ].join('\n'),
  );
  t.equal((await plugin('logs', 'docker', '-n', '1')).stdout, 'no end\n');
  t.equal((await plugin('logs', 'docker', '-n', '0')).stdout, '');
  t.match((await plugin('logs', 'docker', '--raw')).stdout, HCLOG);
  t.match(await plugin('logs', 'docker', '-n', '9999999'), { code: 2, stderr: /at most 100000/ });
});

t.test('the newest lines reach back over the bound of the file', async (t) => {
  const { plugin, logFile } = await agentOf(t);
  const file = logFile('docker');
  writeFileSync(file, 'one\ntwo\n');
  await boundLog(file, 0);
  writeFileSync(file, 'three\n');
  t.equal((await plugin('logs', 'docker', '-n', '2')).stdout, 'two\nthree\n');
});

t.test('who follows gets every line once, over the bound too, until the agent ends', async (t) => {
  const { folder, end, logFile } = await agentOf(t);
  const file = logFile('docker');
  writeFileSync(file, 'zero\none\ntw');
  const out = sink();
  const following = run(['plugin', 'logs', 'docker', '-f', '-n', '2', '--data', folder], {
    env: {},
    stdin: Readable.from([]),
    stdout: out.stream,
    stderr: sink().stream,
    now: () => NOW,
  });
  const shows = (text: string) =>
    eventually(`'${text}' in ${out.text()}`, () => out.text() === text);
  await shows('one\n');
  appendFileSync(file, 'o\nthr');
  await shows('one\ntwo\n');
  appendFileSync(file, 'ee\nfour\n');
  await boundLog(file, 0);
  appendFileSync(file, 'five\n');
  await shows('one\ntwo\nthree\nfour\nfive\n');
  await end();
  t.equal(await following, 1);
});

t.test("the log of an agent's plugin is there when the agent is not", async (t) => {
  const { end, plugin, logFile } = await agentOf(t);
  writeFileSync(logFile('docker'), `old\n${HCLOG}\nlast\n`);
  await end();
  const { code, stdout } = await plugin('logs', 'docker', '-n', '2');
  t.equal(code, 0);
  t.match(stdout, /^2026-03-01 11:59:58\.123 warn {2}docker: pull is slow .*\nlast\n$/);
});
