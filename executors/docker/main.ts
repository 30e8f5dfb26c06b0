/** The docker executor plugin, started by the agent. */
import { serveExecutor } from '../../plugins/sdk/index.ts';
import { dockerExecutor } from './definition.ts';

// The engine is the one of the config; these would change it, or how it is spoken to, behind its back.
for (const name of Object.keys(process.env).filter((name) => name.startsWith('DOCKER_')))
  Reflect.deleteProperty(process.env, name);

await serveExecutor(dockerExecutor);
