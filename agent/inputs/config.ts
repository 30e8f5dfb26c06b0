/** The `urlDownload` section of the agent's config. */
import { z } from 'zod';
import type { Clock } from '../../adapters/clock/port.ts';
import { URL_SOURCE } from '../../core/url-source.ts';
import { parseBlock } from './address.ts';
import { Destinations } from './destinations.ts';
import type { DownloadPorts } from './download.ts';

const GIB = 1024 ** 3;
const HOST = /^(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_-]+)*\.?$/;

function ms(fallback: number, most: number, description: string) {
  return z.int().min(100).max(most).default(fallback).describe(`${description}, ms.`);
}

export const urlDownloadConfig = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether jobs may have this node download files.'),
    allow: z
      .array(
        z
          .string()
          .refine(
            (text) =>
              parseBlock(text) !== undefined || (HOST.test(text) && !/^[\d./]+$/.test(text)),
            'expected a host name, an address, or a block such as 10.1.0.0/16',
          ),
      )
      .default([])
      .describe(
        'What may be fetched from beside public addresses: host names, addresses, blocks such as 10.1.0.0/16. Every job of this node can then read what answers there.',
      ),
    caFile: z
      .string()
      .regex(/^\//, 'expected an absolute path')
      .optional()
      .describe(
        'PEM file of certificate authorities that https servers may be certified by, beside those that Node brings.',
      ),
    maxBytes: z
      .int()
      .min(1)
      .max(16 * 1024 * GIB)
      .default(10 * GIB)
      .describe('Largest file, bytes; a source can ask for less (`MaxBytes`).'),
    connectMs: ms(10_000, 600_000, 'From a request to its connection'),
    idleMs: ms(30_000, 3_600_000, 'Longest silence of a server'),
    totalMs: ms(3_600_000, 86_400_000, 'Longest time of one attempt'),
    maxRedirects: z.int().min(0).max(20).default(5).describe('Redirects that are followed.'),
    attempts: z
      .int()
      .min(1)
      .max(20)
      .default(4)
      .describe('Attempts before the work is refused; what cannot pass by itself gets one.'),
    retryMs: ms(1_000, 60_000, 'Before the second attempt; doubles with each'),
  })
  .prefault({})
  .describe('The `urlDownload` source.');

function archiveLimits(maxBytes: number, maxFiles: number, what: string) {
  return z
    .strictObject({
      maxBytes: z
        .int()
        .min(1)
        .max(16 * 1024 * GIB)
        .default(maxBytes)
        .describe(`Bytes of all files of ${what} together.`),
      maxFiles: z
        .int()
        .min(1)
        .max(100_000_000)
        .default(maxFiles)
        .describe(`Files, folders and links of ${what}.`),
    })
    .prefault({});
}

export const inlineArchiveConfig = archiveLimits(GIB, 10_000, 'one inline archive');
export const resultsConfig = archiveLimits(10 * GIB, 100_000, 'the results of one execution');

export type UrlDownloadConfig = z.infer<typeof urlDownloadConfig>;

/** undefined: this node downloads nothing. */
export function downloadPorts(
  { enabled, allow, caFile, ...limits }: UrlDownloadConfig,
  { minFreeBytes, clock }: { readonly minFreeBytes: number; readonly clock: Clock },
): DownloadPorts | undefined {
  if (!enabled) return undefined;
  return {
    ...{ destinations: new Destinations({ allow }), limits: { ...limits, minFreeBytes }, clock },
    ...(caFile === undefined ? {} : { caFile }),
  };
}

/** The types of sources of a node with this config. */
export function offeredSources({ enabled }: Pick<UrlDownloadConfig, 'enabled'>): string[] {
  return ['inline', 'local', ...(enabled ? [URL_SOURCE] : [])];
}
