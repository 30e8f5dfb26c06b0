/** From a run's spec to what a runner needs. */
import fs from 'node:fs';
import path from 'node:path';
import {
  LimpetError,
  messageOf,
  type Mount,
  type RunContext,
  type RunSpec,
} from '../../plugins/sdk/index.ts';
import type { WasmConfig, WasmParams } from './config.ts';
import { pagesOf } from './module/pages.ts';
import type { Assignment } from './protocol.ts';
import { buildTree, closeTree, openFile } from './wasi/tree.ts';

export function entryOf(params: WasmParams): string {
  return params.Function ?? params.Entrypoint;
}

/** Throws `refused` above the node's bound. */
export function memoryPagesOf(spec: RunSpec, config: WasmConfig): number {
  const wanted = spec.limits.memoryBytes > 0 ? spec.limits.memoryBytes : config.memoryBytes;
  if (wanted > config.maxMemoryBytes)
    throw new LimpetError(
      'refused',
      `memory: ${wanted} bytes wanted, a wasm run gets at most ${config.maxMemoryBytes} here`,
    );
  return pagesOf(wanted);
}

/** Throws `refused` with what is wrong with the path. */
export function readEntryModule(mounts: readonly Mount[], file: string, maxBytes: number): Buffer {
  const root = buildTree(mounts);
  try {
    const fd = openFile(root, file);
    try {
      const { size } = fs.fstatSync(fd);
      if (size > maxBytes)
        throw new LimpetError(
          'refused',
          `module ${file} has ${size} bytes; at most ${maxBytes} are taken`,
        );
      return fs.readFileSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch (thrown) {
    if (thrown instanceof LimpetError) throw thrown;
    const targets = mounts.map((mount) => mount.target).join(', ') || 'none';
    throw new LimpetError(
      'refused',
      `EntryModule ${file} is not a file of the inputs (${targets}): ${messageOf(thrown)}`,
      {
        cause: thrown,
      },
    );
  } finally {
    closeTree(root);
  }
}

export function assignmentOf(
  { spec, folder }: RunContext<WasmParams>,
  modulePath: string,
  config: WasmConfig,
): Assignment {
  const { params } = spec;
  const isCall = params.Function !== undefined;
  return {
    name: { executionId: spec.key.executionId, run: spec.key.run },
    owner: spec.owner,
    folder,
    modulePath,
    call: {
      function: entryOf(params),
      ...(isCall ? { input: params.Input ?? '' } : {}),
      config: params.Config,
    },
    args: [path.basename(params.EntryModule), ...params.Parameters],
    env: { ...spec.env, ...Object.fromEntries(params.EnvironmentVariables.map(splitVariable)) },
    mounts: spec.mounts,
    ...(params.Stdin === undefined ? {} : { stdin: params.Stdin }),
    memoryPages: memoryPagesOf(spec, config),
    maxOutputBytes: config.maxOutputBytes,
    maxDiskBytes: spec.limits.diskBytes > 0 ? spec.limits.diskBytes : config.maxDiskBytes,
    maxFiles: config.maxFiles,
    deadlineAt: spec.deadlineAt,
  };
}

function splitVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
