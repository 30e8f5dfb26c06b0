/** The wasm executor plugin, started by the agent. */
import { serveExecutor } from '../../plugins/sdk/index.ts';
import { wasmExecutor } from './definition.ts';

await serveExecutor(wasmExecutor);
