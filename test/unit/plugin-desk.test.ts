/** What the agent's socket says of plugins, out of what plugins told. */
import t from 'tap';
import { silentLog } from '../../adapters/log/silent-log.ts';
import { openMemoryStore } from '../../adapters/store/memory-store.ts';
import { pluginDesk } from '../../agent/api/plugin-desk.ts';
import { ToldSchemas } from '../../agent/plugins/schemas.ts';
import type { PluginFact } from '../../wire/plugins.ts';

const plugin = (name: string): PluginFact => ({
  ...{ name, source: 'folder', command: [`/p/${name}`], path: `/p/${name}`, pinned: false },
  ...{ state: 'running', health: 'healthy', reason: '', version: '1', reattached: false },
  ...{ restarts: 0, runs: 0, capabilities: [] },
});

t.test('a schema that cannot be used is told with the reason, a sentence each', async (t) => {
  const told = new ToldSchemas();
  told.learn('odd', { configSchemaJson: '{', paramsSchemaJson: '{"type":"strnig"}' });
  told.learn('good', { configSchemaJson: '', paramsSchemaJson: '{"type":"object"}' });
  const desk = pluginDesk({
    plugins: { set: () => ['odd', 'good', 'silent'].map(plugin), restart: async () => undefined },
    host: { health: () => [] },
    store: await openMemoryStore(),
    log: silentLog,
    schemas: told,
    folder: '/nowhere',
  });
  const [odd, ...others] = desk.set();
  t.strictSame(odd?.warnings, [
    'its schema of config is not used: it is no JSON',
    'its schema of task params is not used: its /type is no JSON Schema',
  ]);
  t.strictSame(others, [plugin('good'), plugin('silent')]);
  t.strictSame(desk.schemas('odd'), { config: '{', params: { type: 'strnig' } });
  t.strictSame(desk.schemas('good'), { config: {}, params: { type: 'object' } });
  t.equal(desk.schemas('silent'), undefined);
});
