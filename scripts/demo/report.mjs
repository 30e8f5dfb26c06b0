/** Prints the demo as it goes: titles, facts, checks. A failed check makes the exit code 1. */
export class Report {
  #failed = 0;
  #checks = 0;

  title(text) {
    console.log(`\n${text}\n${'-'.repeat(text.length)}`);
  }

  note(text) {
    console.log(`   ${text}`);
  }

  check(holds, text, detail = '') {
    this.#checks += 1;
    if (!holds) this.#failed += 1;
    console.log(
      `${holds ? 'ok' : 'NOT OK'} ${text}${holds || detail === '' ? '' : `\n   ${detail}`}`,
    );
  }

  /** The exit code. */
  finish(seconds) {
    console.log(
      `\n${this.#checks - this.#failed} of ${this.#checks} checks held, in ${seconds.toFixed(0)} s`,
    );
    return this.#failed === 0 ? 0 : 1;
  }
}
