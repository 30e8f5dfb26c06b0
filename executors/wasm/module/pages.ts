export const PAGE_BYTES = 65_536;

const MAX_PAGES = 65_536;

/** Whole pages within a number of bytes; at least one, at most what 32 bits can address. */
export function pagesOf(memoryBytes: number): number {
  return Math.min(MAX_PAGES, Math.max(1, Math.floor(memoryBytes / PAGE_BYTES)));
}
