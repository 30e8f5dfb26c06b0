/**
 * Subjects with wildcards: `*` stands for one token, `>` for one or more at the end. A trie answers which entries match a
 * literal subject; answers are cached until the next change, at most CACHE_MAX of them.
 */
const CACHE_MAX = 4096;

interface TrieNode<T> {
  readonly children: Map<string, TrieNode<T>>;
  /** Entries whose subject ends here. */
  readonly here: Set<T>;
  /** Entries whose subject goes on with `>` from here. */
  readonly rest: Set<T>;
}

export function isSubject(subject: string): boolean {
  const tokens = subject.split('.');
  return tokens.every((token, i) => token !== '' && (token !== '>' || i === tokens.length - 1));
}

export function isLiteralSubject(subject: string): boolean {
  return isSubject(subject) && subject.split('.').every((token) => token !== '*' && token !== '>');
}

/** Whether all that `subject` stands for, be it literal or not, is part of what `pattern` stands for. */
export function covers(pattern: string, subject: string): boolean {
  const tokens = subject.split('.');
  const allowed = pattern.split('.');
  for (const [i, token] of allowed.entries()) {
    if (token === '>') return i < tokens.length;
    if (token === '*' ? tokens[i] === '>' : token !== tokens[i]) return false;
  }
  return allowed.length === tokens.length;
}

export class SubjectTrie<T> {
  readonly #root: TrieNode<T> = newNode();
  readonly #cache = new Map<string, readonly T[]>();

  add(subject: string, entry: T): void {
    this.#cache.clear();
    let node = this.#root;
    for (const token of subject.split('.')) {
      if (token === '>') {
        node.rest.add(entry);
        return;
      }
      const next = node.children.get(token) ?? newNode<T>();
      node.children.set(token, next);
      node = next;
    }
    node.here.add(entry);
  }

  delete(subject: string, entry: T): void {
    this.#cache.clear();
    remove(this.#root, subject.split('.'), entry);
  }

  match(subject: string): readonly T[] {
    const known = this.#cache.get(subject);
    if (known !== undefined) return known;
    const found: T[] = [];
    collect(this.#root, subject.split('.'), 0, found);
    if (this.#cache.size >= CACHE_MAX) this.#cache.clear();
    this.#cache.set(subject, found);
    return found;
  }
}

function newNode<T>(): TrieNode<T> {
  return { children: new Map(), here: new Set(), rest: new Set() };
}

/** True when `node` holds nothing any more. */
function remove<T>(node: TrieNode<T>, tokens: readonly string[], entry: T): boolean {
  const [token, ...others] = tokens;
  if (token === undefined) node.here.delete(entry);
  else if (token === '>') node.rest.delete(entry);
  else {
    const child = node.children.get(token);
    if (child !== undefined && remove(child, others, entry)) node.children.delete(token);
  }
  return node.children.size === 0 && node.here.size === 0 && node.rest.size === 0;
}

function collect<T>(node: TrieNode<T>, tokens: readonly string[], at: number, found: T[]): void {
  const token = tokens[at];
  if (token === undefined) {
    found.push(...node.here);
    return;
  }
  found.push(...node.rest);
  for (const name of [token, '*']) {
    const child = node.children.get(name);
    if (child !== undefined) collect(child, tokens, at + 1, found);
  }
}
