/** One file of a log. */
export interface Segment {
  readonly file: string;
  /** A random number of 32 bits, part of the file's name. */
  readonly salt: number;
  /** Global offset of its first data byte. */
  readonly start: number;
  /** Where the last whole frame of the file ends. */
  readonly bytes: number;
}

/** The name of a segment's file. */
export function segmentName({ start, salt }: Pick<Segment, 'start' | 'salt'>): string {
  return `${String(start).padStart(16, '0')}-${salt.toString(16).padStart(8, '0')}.log`;
}
