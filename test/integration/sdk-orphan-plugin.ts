/** The process executor, impatient when nobody needs it. */
import { processExecutor } from '../../executors/process/definition.ts';
import { serveExecutor } from '../../plugins/sdk/index.ts';

await serveExecutor(processExecutor, { orphanAfterMs: Number(process.env['ORPHAN_AFTER_MS']) });
