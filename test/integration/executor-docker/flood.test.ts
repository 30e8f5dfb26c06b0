/** A container that prints faster than anybody reads: what the engine threw away meanwhile is told, the rest is there. */
import { statSync } from 'node:fs';
import t from 'tap';
import { entryBytes } from '../../../executors/docker/log-file.ts';
import { demux } from '../../../executors/docker/log-frames.ts';
import { openEngine } from '../../../executors/docker/engine.ts';
import { openLogs } from '../../../executors/docker/engine-streams.ts';
import { LimpetError } from '../../../core/errors.ts';
import type { LogChunk, LogSource } from '../../../plugins/sdk/types.ts';
import { privateEngine, privateEngineSkip } from '../../kit/engine.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { ended, newNode, newRun, openPlugin } from './node.ts';
import { cleanUp, nameOf, rawEngine } from './raw-engine.ts';

t.setTimeout(300_000);

const LINES = 300_000;

/** Lines of 58 bytes that begin with their number. */
function numbered(count: number): string {
  const line = `%06d-${'x'.repeat(50)}`;
  return `awk 'BEGIN { for (i = 1; i <= ${count}; i++) print sprintf("${line}", i) }'`;
}

/** What a reader gets of numbered lines. */
class Account {
  readonly untold: string[] = [];
  next = 0;
  gaps = 0;
  readonly #onFirst: () => Promise<unknown>;
  #cursor = '';
  #rest = '';
  #isAfterGap = false;

  constructor(onFirst: () => Promise<unknown>) {
    this.#onFirst = onFirst;
  }

  /** Goes on to the end of the log; false when it was broken off before. */
  async read(log: LogSource): Promise<boolean> {
    try {
      for await (const chunk of log.read(this.#cursor, AbortSignal.timeout(120_000))) {
        const isFirst = this.next === 0;
        this.#take(chunk);
        this.#cursor = chunk.cursor;
        if (isFirst) await this.#onFirst();
      }
      return true;
    } catch (thrown) {
      if (thrown instanceof LimpetError && thrown.code === 'unavailable') return false;
      throw thrown;
    }
  }

  #take({ stream, data }: LogChunk): void {
    if (stream === 'gap') {
      this.gaps += 1;
      this.#isAfterGap = true;
      this.#rest = '';
      return;
    }
    const lines = (this.#rest + Buffer.from(data).toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const number = Number(line.slice(0, 6));
      if (number !== this.next && !this.#isAfterGap) this.untold.push(`${this.next} to ${number}`);
      this.#isAfterGap = false;
      this.next = number + 1;
    }
  }
}

void t.test('output of a container', { skip: privateEngineSkip() }, async (t) => {
  const { host } = await privateEngine(t);
  const raw = rawEngine(host);

  async function opened(config: Readonly<Record<string, unknown>>) {
    const node = newNode(tempDir(t));
    cleanUp(t, raw, node);
    const plugin = await openPlugin(node, host, { config });
    t.teardown(() => plugin.close?.());
    return { node, plugin };
  }

  for (const [logSize, logFiles] of [
    ['64k', 2],
    ['1m', 3],
  ] as const)
    await t.test(`followed in full flood, ${logFiles} files of ${logSize}`, async (t) => {
      const { node, plugin } = await opened({ logSize, logFiles });
      const flood = `trap go=1 USR1; echo 000000; while [ -z "$go" ]; do sleep 0.02; done; ${numbered(LINES)}`;
      const run = newRun(node, flood);
      await plugin.start(run);
      const container = raw.getContainer(nameOf(node, run));
      const account = new Account(() => container.kill({ signal: 'SIGUSR1' }));
      while (!(await account.read(plugin.logs(run)))) t.comment('the engine broke off the log');
      t.equal(account.next, LINES + 1, 'the last line is there');
      t.strictSame(account.untold, [], `every jump is told (${account.gaps} gaps)`);
    });

  await t.test('takes as many bytes of its file as we count', async (t) => {
    const { node, plugin } = await opened({});
    const odd =
      'tab\\t quote\\" back\\\\\\\\ <&> cr\\r bell\\007 del\\177 \\342\\200\\250 \\360\\237\\220\\232 \\377\\376\\n';
    const script = [
      `printf '${odd}'; printf '${odd}' >&2`,
      'head -c 40000 /bin/busybox; head -c 40000 /dev/zero | tr "\\0" y',
      numbered(2000),
      'printf unfinished',
    ];
    const run = newRun(node, script.join('; '));
    await plugin.start(run);
    await ended(plugin, run);
    const { Id, LogPath } = await raw.getContainer(nameOf(node, run)).inspect();
    const { calls } = await openEngine(host);
    const signal = AbortSignal.timeout(30_000);
    let counted = 0;
    for await (const frames of demux(
      await openLogs(calls, Id, { since: '', follow: false, signal }),
    ))
      for (const frame of frames) counted += entryBytes(frame);
    t.equal(counted, statSync(LogPath).size);
  });
});
