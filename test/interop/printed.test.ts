/** What a Go plugin prints to its own stdout never holds it up: the agent reads it from the first moment on. */
import t from 'tap';
import { goProgram, withoutGo } from '../kit/examples.ts';
import { eventually } from '../kit/eventually.ts';
import { startCluster } from '../kit/cluster.ts';

t.setTimeout(300_000);

t.test(
  '300 kB printed by a Go plugin, at its start and after a reattach',
  { skip: withoutGo },
  async (t) => {
    const command = [await goProgram(t, 'example.com/interop/go-printer')];
    const cluster = await startCluster(t);
    const agent = cluster.addAgent({
      executors: { docker: { enabled: false }, wasm: { enabled: false } },
      plugins: [{ name: 'printer', command }],
      log: { level: 'debug' },
    });
    await agent.start();
    const pid = await agent.pluginPid('printer');
    // What it prints comes on a stream of its own, after the answer or before it.
    await eventually('its last line is read', () => lastLines(agent.log) === 1);

    await agent.kill();
    await agent.start();
    t.equal(await agent.pluginPid('printer'), pid, 'the same process, reattached');
    await eventually('what it prints then is read too', () => lastLines(agent.log) === 2);
    t.equal(await agent.pluginPid('printer'), pid, 'and it is held up by nothing');
  },
);

/** How often the last line of a print has come through; a piece ends anywhere. */
function lastLines(log: string): number {
  const pieces = [...log.matchAll(/"text":"([^"]*)","event":"plugin\.printed"/g)].map(
    ([, text]) => text,
  );
  return pieces.join('').split(/04999 0{53}/).length - 1;
}
