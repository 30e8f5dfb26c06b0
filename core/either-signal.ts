/**
 * One signal that fires when either of two does, with its reason. `AbortSignal.any` does the same, but leaves something
 * behind at the one that lives longer: for good, some hundred bytes for each use, a kilobyte while somebody listens (Node 20
 * and 22), and on Node 22 each further use takes longer. This one lets go of both when it is disposed.
 */
export class EitherSignal implements Disposable {
  readonly #either = new AbortController();
  readonly #stops: (() => void)[] = [];

  constructor(one: AbortSignal, other: AbortSignal) {
    for (const source of [one, other]) {
      const fire = (): void => this.#fire(source);
      if (source.aborted) fire();
      else source.addEventListener('abort', fire, { once: true });
      this.#stops.push(() => source.removeEventListener('abort', fire));
    }
  }

  get signal(): AbortSignal {
    return this.#either.signal;
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #fire({ reason }: AbortSignal): void {
    this.#either.abort(reason);
  }
}
