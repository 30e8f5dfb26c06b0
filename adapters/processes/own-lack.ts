const LACKS: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM'];

/** This program has no descriptor or memory left to look with: that tells nothing of the process, least of all its end. */
export function isOurOwnLack(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && LACKS.includes(thrown.code);
}
