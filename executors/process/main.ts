import { serveExecutor } from '../../plugins/sdk/index.ts';
import { processExecutor } from './definition.ts';

await serveExecutor(processExecutor);
