/** Options that several commands share, and the parsers of their values (a wrong value is a usage error). */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '../core/errors.ts';
import { parseBytes } from '../core/resources.ts';
import { ApiClient } from './api/client.ts';
import { findEndpoint } from './api/endpoint.ts';
import type { Context } from './context.ts';

export interface ApiOptions {
  readonly api?: string;
}

export interface OutputOptions {
  readonly output: 'table' | 'json';
}

/** A command that talks to the requester. */
export function apiCommand(usage: string, description: string): Command {
  return new Command(usage)
    .description(description)
    .option('--api <url>', 'where the requester is (or LIMPET_API)');
}

export function outputOption(): Option {
  return new Option('-o, --output <form>', 'form of the answer')
    .choices(['table', 'json'])
    .default('table');
}

export function dataOption(): Option {
  return new Option('--data <folder>', `data folder (or LIMPET_DATA; else ~/.limpet)`);
}

/** For people: the home folder as ~. */
export function tildePath(path: string): string {
  const home = homedir();
  return path === home || path.startsWith(join(home, '/')) ? `~${path.slice(home.length)}` : path;
}

export function connect(context: Context, options: ApiOptions): ApiClient {
  return new ApiClient(findEndpoint(context.env, options.api));
}

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number.');
}

/** `512Mb`, `10Gi` to bytes. */
export function byteCount(text: string): number {
  try {
    return parseBytes(text, 'size');
  } catch (thrown) {
    throw new InvalidArgumentError(messageOf(thrown));
  }
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** `90`, `90s`, `10m`, `1h` to seconds. */
export function seconds(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  const factor = UNIT_SECONDS[unit ?? '?'];
  if (count !== undefined && factor !== undefined) return Number(count) * factor;
  throw new InvalidArgumentError('Expected a time such as 30s, 10m or 1h.');
}

/** Collects a repeatable option. */
export function repeated(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, text];
}
