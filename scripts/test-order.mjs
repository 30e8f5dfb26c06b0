/**
 * Which file of tests is next. Most lanes take the longest that is left, so that none of these runs alone at the end;
 * one takes the shortest: long files mostly wait, short ones mostly compute, and side by side they keep the cores busy.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of the last runs here; a fresh clone begins with what is committed. */
const KEPT = 'node_modules/.cache/limpet/test-seconds.json';
const COMMITTED = 'scripts/test-seconds.json';
const UNKNOWN_SECONDS = 15;

export class TestOrder {
  #root;
  #left;
  #seconds;

  constructor(root, files) {
    this.#root = root;
    this.#seconds = { ...readSeconds(join(root, COMMITTED)), ...readSeconds(join(root, KEPT)) };
    const secondsOf = (file) => this.#seconds[file] ?? UNKNOWN_SECONDS;
    this.#left = [...files].sort((a, b) => secondsOf(b) - secondsOf(a));
  }

  longest() {
    return this.#left.shift();
  }

  shortest() {
    return this.#left.pop();
  }

  took(file, seconds) {
    this.#seconds[file] = Math.round(seconds);
  }

  keep() {
    const path = join(this.#root, KEPT);
    const temporary = `${path}.${process.pid}.tmp`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, JSON.stringify(this.#seconds));
    renameSync(temporary, path);
  }
}

function readSeconds(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}
