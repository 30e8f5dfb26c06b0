/** The first 2 KiB of each stream: what a job's owner gets to see of its output without asking for the log. */
import {
  LogsResponse_Stream as Stream,
  type LogsResponse_Frame as Frame,
} from '../../plugins/proto/gen/limpet/executor/v1/executor_pb.js';

const HEAD_BYTES = 2048;

export class OutputHeads {
  readonly #heads = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

  add(frames: readonly Pick<Frame, 'stream' | 'data'>[]): void {
    for (const { stream, data } of frames) {
      if (stream === Stream.STDOUT) this.#append('stdout', data);
      if (stream === Stream.STDERR) this.#append('stderr', data);
    }
  }

  /** Nothing more is wanted. */
  get full(): boolean {
    return Object.values(this.#heads).every((head) => head.length >= HEAD_BYTES);
  }

  get text(): { readonly stdout: string; readonly stderr: string } {
    const { stdout, stderr } = this.#heads;
    return { stdout: stdout.toString(), stderr: stderr.toString() };
  }

  #append(name: 'stdout' | 'stderr', data: Uint8Array): void {
    const head = this.#heads[name];
    if (head.length < HEAD_BYTES)
      this.#heads[name] = Buffer.concat([head, data.subarray(0, HEAD_BYTES - head.length)]);
  }
}

export function headsOf(frames: readonly Pick<Frame, 'stream' | 'data'>[]): {
  readonly stdout: string;
  readonly stderr: string;
} {
  const heads = new OutputHeads();
  heads.add(frames);
  return heads.text;
}
