/** What is known of a process that has run a file of tests. */
export interface TestProcess {
  readonly lines: readonly string[];
  readonly facts: {
    readonly exitCode?: number | null;
    readonly signal?: NodeJS.Signals | null;
    readonly error?: string;
    readonly expired?: string;
  };
  readonly ms: number;
}

/** The lines of a file's own TAP, indented, and the point that sums them up. */
export function asSubtest(file: string, process: TestProcess): string[];
