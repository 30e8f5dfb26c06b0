/**
 * Reads the TAP of a whole run, line by line: prints what failed with its diagnosis, what was skipped with its reason,
 * one line per file, and counts. Assertions are counted as tap does: a test point with test points below it is only
 * their sum; a file or test without any counts once.
 */
const INDENT = 4;
const RESULT = /^(not )?ok\b(?: (\d+))?(?: - (.*?))?\s*$/;
const DIRECTIVE = /^(.*?)\s*# (time=|SKIP|TODO)\s*(.*)$/i;
const SILENT = /^(# (Subtest:|time=|No coverage|\{)|\d+\.\.\d+|TAP version|\}$|pragma )/;
const DIAGNOSIS_LINES = 60;
/** Of a file that failed as a whole only these say why; the rest is its command line. */
const FILE_FACTS = /^(exitCode|signal|expired|error|message): (?!null)/;

export class TapSummary {
  passed = 0;
  failed = 0;
  skipped = 0;
  #print;
  #skips = [];
  /** Per depth: test points seen and failed since the last point one level up, and the subtest that they belong to. */
  #levels = [];
  #diagnosis;
  #held;

  constructor(print) {
    this.#print = print;
  }

  /** One failure outside any test, e.g. of setup. */
  fail(message) {
    this.failed++;
    this.#print(`FAIL ${message}`);
  }

  line(text) {
    if (this.#inDiagnosis(text)) return;
    const body = text.trimStart();
    const depth = Math.floor((text.length - body.length) / INDENT);
    const result = RESULT.exec(body);
    if (result !== null) return this.#result(depth, result);
    const subtest = /^# Subtest: (.*)$/.exec(body);
    if (subtest !== null) return this.#enter(depth, subtest[1]);
    if (body.startsWith('Bail out!')) return this.fail(body);
    if (body !== '' && !SILENT.test(body)) this.#print(text);
  }

  /** After the last line. */
  end() {
    this.#release();
    for (const { path, reason } of this.#skips)
      this.#print(`skip ${path}${reason && `: ${reason}`}`);
    if (this.passed + this.failed + this.skipped === 0) this.fail('no test ran');
  }

  get counts() {
    return `${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`;
  }

  #enter(depth, name) {
    this.#release();
    this.#level(depth).name = name;
    this.#levels.length = depth + 1;
  }

  /** A test point is settled when the line after its diagnosis comes, so that the diagnosis can be shown with it. */
  #result(depth, [, not, , rest = '']) {
    this.#release();
    const [, name = rest, kind = '', reason = ''] = DIRECTIVE.exec(rest) ?? [];
    const took = kind === 'time=' ? ` (${secondsOf(reason)} s)` : '';
    const below = this.#levels[depth + 1] ?? { points: 0, failed: 0 };
    this.#held = {
      depth,
      ok: not === undefined,
      name,
      took,
      kind: kind.toUpperCase(),
      reason,
      below,
      lines: [],
    };
  }

  #inDiagnosis(text) {
    if (this.#held === undefined) return false;
    const margin = ' '.repeat(this.#held.depth * INDENT + 2);
    if (this.#diagnosis === undefined) {
      if (text !== `${margin}---`) return false;
      this.#diagnosis = this.#held.lines;
    } else if (text === `${margin}...`) {
      this.#diagnosis = undefined;
    } else {
      this.#diagnosis.push(text.slice(margin.length));
    }
    return true;
  }

  #release() {
    const point = this.#held;
    if (point === undefined) return;
    this.#held = undefined;
    this.#diagnosis = undefined;
    const failed = point.below.points === 0 ? this.#settleLeaf(point) : this.#settleParent(point);
    this.#levels.length = point.depth + 1;
    const level = this.#level(point.depth);
    level.points++;
    level.failed += failed;
    level.name = undefined;
    if (point.depth === 0 && point.ok && !this.#isSkip(point))
      this.#print(`ok   ${point.name}${point.took}`);
  }

  #settleLeaf(point) {
    if (this.#isSkip(point)) {
      this.skipped++;
      this.#skips.push({ path: this.#path(point), reason: point.reason });
      return 0;
    }
    if (point.ok) this.passed++;
    else this.#failure(point);
    return point.ok ? 0 : 1;
  }

  #isSkip({ kind }) {
    return kind === 'SKIP' || kind === 'TODO';
  }

  /** A parent fails of itself when all below passed: a wrong plan, a time-out, an exit code. */
  #settleParent(point) {
    if (point.ok || point.kind === 'TODO' || point.below.failed > 0) return point.below.failed;
    this.#failure(point);
    return 1;
  }

  #failure(point) {
    this.failed++;
    this.#print(`FAIL ${this.#path(point)}`);
    const lines =
      point.depth === 0 ? point.lines.filter((line) => FILE_FACTS.test(line)) : point.lines;
    for (const line of lines.slice(0, DIAGNOSIS_LINES)) this.#print(`     ${line}`);
  }

  #path(point) {
    const names = this.#levels.slice(0, point.depth).map((level) => level?.name ?? '');
    return [...names, point.name].filter(Boolean).join(' > ');
  }

  #level(depth) {
    this.#levels[depth] ??= { points: 0, failed: 0, name: undefined };
    return this.#levels[depth];
  }
}

/** As tap writes it: `2897.504ms`. */
function secondsOf(time) {
  return (Number.parseFloat(time) / 1000).toFixed(1);
}
