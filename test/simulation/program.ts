/** A program under a supervisor: whenever it dies it is started again, after as long as the script says. */
import { Life } from './life.ts';

const BACK_MS = 300;
const AGAIN_MS = 2_000;

export class Program<T> {
  readonly #world: Life;
  readonly #run: (life: Life) => Promise<T>;
  #life: Life | undefined;
  #running: T | undefined;
  #awayMs = BACK_MS;

  constructor(world: Life, run: (life: Life) => Promise<T>) {
    this.#world = world;
    this.#run = run;
  }

  /** Undefined while it is dead, or has not come up. */
  get running(): T | undefined {
    return this.#running;
  }

  start(): void {
    const life = new Life(this.#world);
    this.#life = life;
    life.onEnd(() => {
      this.#running = undefined;
      this.#life = undefined;
      this.#world.after(this.#awayMs, () => this.ensure());
      this.#awayMs = BACK_MS;
    });
    life.gate(this.#run(life)).then(
      (running) => (this.#running = running),
      () => {
        this.awayNext(AGAIN_MS);
        life.end();
      },
    );
  }

  ensure(): void {
    if (this.#life === undefined) this.start();
  }

  /** How long its next death lasts. */
  awayNext(ms: number): void {
    this.#awayMs = ms;
  }

  kill(awayMs: number): void {
    this.awayNext(awayMs);
    this.#life?.end();
  }
}
