/**
 * Serves log streams and result archives to the requester: one answer to the open request, then chunks.
 * A log stream is frames of wire/log-frames.ts, an archive is the bytes of a tar.gz.
 */
import { LimpetError } from '../../core/errors.ts';
import { parseExecutionId, type NodeId } from '../../core/ids.ts';
import type { Logger } from '../../adapters/log/port.ts';
import type { Subscription, Transport } from '../../adapters/nats/port.ts';
import type { Piece, StreamServer } from '../../adapters/streams/port.ts';
import { logsRequestSchema, resultRequestSchema, type StreamOpened } from '../../wire/messages.ts';
import { toAgent } from '../../wire/subjects.ts';
import type { AgentFolders } from '../executions/folders.ts';
import { resultArchive } from '../executions/results.ts';
import { knownExecution, LogSource, type LogSourceDeps } from './log-source.ts';

export interface StreamsDeps extends LogSourceDeps {
  readonly transport: Transport;
  readonly nodeId: NodeId;
  readonly server: StreamServer;
  readonly folders: AgentFolders;
  readonly log: Logger;
}

interface Opening {
  readonly streamId: string;
  readonly source: (signal: AbortSignal) => AsyncIterable<Piece>;
}

export class AgentStreams {
  readonly #deps: StreamsDeps;
  #subscriptions: readonly Subscription[] = [];

  constructor(deps: StreamsDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { transport, nodeId } = this.#deps;
    this.#subscriptions = [
      transport.subscribe(toAgent(nodeId, 'ExecutionLogs'), (m) =>
        this.#open(() => this.#logs(m.payload)),
      ),
      transport.subscribe(toAgent(nodeId, 'ExecutionResult'), (m) =>
        this.#open(() => this.#result(m.payload)),
      ),
    ];
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  async #open(prepare: () => Promise<Opening>): Promise<Uint8Array> {
    let answer: StreamOpened;
    try {
      const { streamId, source } = await prepare();
      this.#deps.server.serve(streamId, source);
      answer = { type: 'opened', streamId };
    } catch (thrown) {
      const error = LimpetError.from(thrown);
      this.#deps.log.info('stream.refused', { reason: error.message });
      answer = { type: 'refused', code: error.code, message: error.message };
    }
    return Buffer.from(JSON.stringify(answer));
  }

  async #result(payload: Uint8Array): Promise<Opening> {
    const request = resultRequestSchema.parse(JSON.parse(Buffer.from(payload).toString()));
    const archive = await resultArchive(this.#deps.folders, parseExecutionId(request.ExecutionId));
    return { streamId: request.StreamId, source: archive };
  }

  async #logs(payload: Uint8Array): Promise<Opening> {
    const request = logsRequestSchema.parse(JSON.parse(Buffer.from(payload).toString()));
    await knownExecution(this.#deps, request.ExecutionId);
    const source = (signal: AbortSignal): AsyncIterable<Piece> =>
      new LogSource(this.#deps, request, signal).pieces();
    return { streamId: request.StreamId, source };
  }
}
