/** Single values of a job that several of its fields have; the message of each check says what is allowed. */
import { z } from 'zod';
import { parseDuration } from './duration.ts';

export const A_TEXT = 'a string (numbers and true or false need quotes)';
const WITHOUT_NUL = 'a string without NUL';

export const text = z.string(A_TEXT).regex(/^[^\0]*$/, WITHOUT_NUL);
export const texts = z.record(z.string(), z.string(A_TEXT), 'a mapping of names to strings');

export function wholeNumber(least: number, most: number): z.ZodNumber {
  const expected = `a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
}

/** Compared in lower case, without blanks. */
export function amount(check: (text: string) => unknown, expected: string) {
  return z
    .string(`${expected}, in quotes`)
    .transform((value) => value.toLowerCase().replace(/\s+/g, ''))
    .refine((value) => parses(check, value), expected);
}

function parses(check: (text: string) => unknown, value: string): boolean {
  try {
    check(value);
    return true;
  } catch {
    return false;
  }
}

/** Kept as it was written, in lower case; the bounds are in milliseconds. */
export function duration(least: number, most: number, expected: string) {
  const fits = (text: string): boolean =>
    parses(parseDuration, text) && parseDuration(text) >= least && parseDuration(text) <= most;
  return z
    .string(`${expected}, as text`)
    .transform((text) => text.toLowerCase().replace(/\s+/g, ''))
    .refine(fits, expected);
}
