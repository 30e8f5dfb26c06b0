export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Of the output in the message of a failure. */
  readonly lines?: number;
}
/** Resolves with stdout and stderr together at exit 0; else rejects with command, outcome and output. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<string>;
