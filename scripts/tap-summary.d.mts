/** Reads the TAP of a run; prints failures, skips and files through `print`; counts as tap does. */
export class TapSummary {
  constructor(print: (line: string) => void);
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** `N passed, N failed, N skipped` */
  readonly counts: string;
  line(text: string): void;
  /** One failure outside any test. */
  fail(message: string): void;
  /** After the last line; a run without any test is a failure. */
  end(): void;
}
