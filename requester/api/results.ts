/** Published results: the list with URLs that need no token for a while, and the archive itself. */
import { LimpetError } from '../../core/errors.ts';
import type { ExecutionId } from '../../core/ids.ts';
import type { ExecutionRecord, JobRecord } from '../state/records.ts';
import { pathPart } from './answer.ts';
import type { ApiContext } from './context.ts';
import { findExecution } from './lookup.ts';
import type { RouteTable } from './route-table.ts';
import { signPath } from './token.ts';

const ARCHIVE = '/api/v1/limpet/executions/:id/result.tar.gz' as const;

/** `origin` is how the client has reached us. Failed runs have results too. */
export async function resultItems(context: ApiContext, job: JobRecord, origin: string) {
  const executions = await context.reader.executionsOf(job.id);
  return executions
    .filter(({ token, published }) => token.jobVersion === job.version && published !== undefined)
    .map((execution) => resultItem(context, execution, origin));
}

function resultItem(
  { config, token, clock }: ApiContext,
  execution: ExecutionRecord,
  origin: string,
) {
  if (execution.published?.type !== 'local')
    return { Type: execution.published?.type ?? '', Params: execution.published?.params ?? {} };
  const path = archivePath(execution.id);
  const expiresAt = clock.now() + config.results.urlTtlMs;
  const url = `${origin}${path}?exp=${expiresAt}&sig=${signPath(token, path, expiresAt)}`;
  return { Type: 'urlDownload', Params: { URL: url } };
}

function archivePath(id: ExecutionId): string {
  return ARCHIVE.replace(':id', id);
}

export function resultRoutes(routes: RouteTable, context: ApiContext): void {
  routes.add('signed', `GET ${ARCHIVE}`, async (c) => {
    const execution = await findExecution(context.reader, pathPart(c, 'id'));
    if (execution.published === undefined)
      throw new LimpetError(
        'not-found',
        `execution ${execution.id} has published no result; it is ${execution.state}`,
      );
    const stream = await context.streams.result(execution, c.req.raw.signal);
    return c.body(
      toBody(
        stream.chunks(),
        () => stream.end,
        () => stream.cancel(),
      ),
      200,
      {
        'content-type': 'application/gzip',
        'content-disposition': `attachment; filename="${execution.id}.tar.gz"`,
      },
    );
  });
}

/** A broken stream breaks the download: a client must never take half an archive for a whole one. */
function toBody(
  chunks: AsyncIterable<Uint8Array>,
  ending: () => { readonly code: string; readonly message: string } | undefined,
  cancel: () => void,
): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done !== true) return controller.enqueue(next.value);
      const end = ending();
      if (end?.code === 'finished') return controller.close();
      controller.error(
        new LimpetError(
          'unavailable',
          `the archive ended early: ${end?.message ?? 'no reason given'}`,
        ),
      );
    },
    cancel,
  });
}
