import { availableParallelism } from 'node:os';
import type { ExecutorDefinition } from '../../plugins/sdk/index.ts';
import { dockerConfig, type DockerConfig } from './config.ts';
import { EngineId } from './engine-id.ts';
import { openEngine } from './engine.ts';
import { DockerExecutor } from './executor.ts';
import { dockerParams, type DockerParams } from './params.ts';

export const dockerExecutor: ExecutorDefinition<DockerConfig, DockerParams> = {
  name: 'docker',
  version: '0.1.0',
  config: dockerConfig,
  params: dockerParams,
  async create(config, host) {
    const engine = await openEngine(config.host);
    return new DockerExecutor({
      engine,
      engineId: new EngineId(engine, { nodeId: host.nodeId, instanceId: host.instanceId }),
      config,
      host,
      startConcurrency: config.maxStartConcurrency ?? 2 * availableParallelism(),
    });
  },
};
