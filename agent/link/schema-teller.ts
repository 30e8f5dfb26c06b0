/** Which schemas the requester has not been told yet in this session; each is told until a message with it is answered. */
import { hashOfText } from '../../wire/digests.ts';
import type { ParamsSchema } from '../executions/params-schemas.ts';

/** Beside it a message has to hold the lists of executions, within the broker's limit. */
const MOST_BYTES = 131_072;

export class SchemaTeller {
  readonly #told = new Set<string>();

  /** As many as fit into one message. */
  next(schemas: Iterable<ParamsSchema>): string[] {
    const texts = new Map<string, string>();
    let bytes = 0;
    for (const { told } of schemas) {
      if (told === undefined || this.#told.has(told.hash) || texts.has(told.hash)) continue;
      bytes += Buffer.byteLength(told.text);
      if (bytes > MOST_BYTES) break;
      texts.set(told.hash, told.text);
    }
    return [...texts.values()];
  }

  answered(texts: Iterable<string>): void {
    for (const text of texts) this.#told.add(hashOfText(text));
  }

  /** Another requester, or one that may have forgotten. */
  reset(): void {
    this.#told.clear();
  }
}
