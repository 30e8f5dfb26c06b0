/**
 * The id of this machine: machine-id(5), else the one of D-Bus. A machine without one is compared with nothing: an image
 * that has never booted has an empty file there, or the word `uninitialized`.
 */
import { readFile } from 'node:fs/promises';
import { LimpetError, messageOf } from '../../core/errors.ts';

const FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/** undefined when none is known. Errors: `invalid-config`, when a `file` was named and holds none. */
export async function readMachineId(file: string | undefined): Promise<string | undefined> {
  if (file !== undefined) return named(file);
  for (const one of FILES) {
    const id = idOf(await readFile(one, 'utf8').catch(() => ''));
    if (id !== undefined) return id;
  }
  return undefined;
}

async function named(file: string): Promise<string> {
  const expected =
    'expected one line as in /etc/machine-id; correct machineIdFile, or leave it out';
  try {
    const id = idOf(await readFile(file, 'utf8'));
    if (id !== undefined) return id;
  } catch (thrown) {
    throw new LimpetError(
      'invalid-config',
      `machineIdFile ${file} cannot be read: ${messageOf(thrown)}; ${expected}`,
      { cause: thrown },
    );
  }
  throw new LimpetError('invalid-config', `machineIdFile ${file} holds no machine id; ${expected}`);
}

function idOf(text: string): string | undefined {
  const id = text.trim();
  return id === '' || id === 'uninitialized' || id.includes('\n') || /^0+$/.test(id)
    ? undefined
    : id;
}
