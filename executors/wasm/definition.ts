import path from 'node:path';
import type { ExecutorDefinition } from '../../plugins/sdk/index.ts';
import { wasmConfig, wasmParams, type WasmConfig, type WasmParams } from './config.ts';
import { WasmExecutor } from './executor.ts';
import { ModuleCache } from './module/cache.ts';
import { RunnerPool } from './pool.ts';

export const wasmExecutor: ExecutorDefinition<WasmConfig, WasmParams> = {
  name: 'wasm',
  version: '0.1.0',
  capabilities: { held: true, preparesOnce: true },
  config: wasmConfig,
  params: wasmParams,
  async create(config, host) {
    const { warm, idleMs, maxMemoryBytes, runsPerRunner } = config;
    const pool = new RunnerPool({
      warm,
      idleMs,
      maxMemoryBytes,
      runsPerRunner,
      socketsDir: host.socketsDir,
      log: host.log,
    });
    await pool.open();
    const cache = new ModuleCache(path.join(host.stateDir, 'modules'));
    return new WasmExecutor({ config, host, pool, cache });
  },
};
