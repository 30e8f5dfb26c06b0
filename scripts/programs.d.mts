/** Absolute path of an executable in PATH or in the folders where daemons live; undefined when there is none. */
export function findProgram(name: string): string | undefined;
/** Absolute path of a statically linked busybox. */
export function findStaticBusybox(): string | undefined;
