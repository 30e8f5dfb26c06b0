/** Absolute path of an executable in PATH or in the folders where daemons live; undefined when there is none. */
export function findProgram(name: string): string | undefined;
/** Absolute path of a statically linked busybox. */
export function findStaticBusybox(): string | undefined;
/** Absolute path of Go, where hashicorp/go-plugin and gRPC are installed as Debian packages them. */
export function findGo(): string | undefined;
/** Absolute path of the system's Python, where it has grpcio. */
export function findPython(): string | undefined;
