/** Prepare as a stream: the latest progress (older ones that nobody has read are dropped), then the digest. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PrepareResponseSchema } from '../proto/gen/limpet/executor/v1/executor_pb.js';
import type { Executor, Progress, RunSpec } from './types.ts';

export async function* prepareStream<Params>(
  executor: Pick<Executor<Params>, 'prepare'>,
  spec: RunSpec<Params>,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof PrepareResponseSchema>> {
  let latest: Progress | undefined;
  let wake: () => void = () => undefined;
  let digest: string | undefined;
  const preparing = executor
    .prepare(
      spec,
      (progress) => {
        latest = progress;
        wake();
      },
      signal,
    )
    .then((answer) => {
      digest = answer;
    })
    .finally(() => wake());
  // A failure is seen by the await at the end; until then it must not count as unhandled.
  const over = preparing.then(
    () => true,
    () => true,
  );
  for (let done = false; !done;) {
    const news = new Promise<boolean>((resolve) => {
      wake = () => resolve(false);
    });
    done = latest === undefined && (await Promise.race([over, news]));
    const progress: Progress | undefined = latest;
    latest = undefined;
    if (progress !== undefined) yield progressToWire(progress);
  }
  await preparing;
  yield { message: 'ready', done: true, digest: digest ?? '' };
}

function progressToWire({ message, kind, item, currentBytes, totalBytes }: Progress) {
  return {
    message,
    kind: kind ?? '',
    item: item ?? '',
    currentBytes: BigInt(currentBytes ?? 0),
    totalBytes: BigInt(totalBytes ?? 0),
    done: false,
  };
}
