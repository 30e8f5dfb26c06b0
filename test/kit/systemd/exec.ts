/** A command in a running container, as `docker exec` runs it: no terminal, no stdin. */
import type Docker from 'dockerode';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** The command is left to itself then; it ends with its container. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Name or number; root unless told otherwise. */
  readonly user?: string;
}

const TIMEOUT_MS = 120_000;
const HEADER_BYTES = 8;
const STDERR = 2;

/** Its end, whatever the exit code; rejects when it does not end in time. */
export async function exec(
  container: Docker.Container,
  args: readonly string[],
  { timeoutMs = TIMEOUT_MS, env = {}, user = 'root' }: ExecOptions = {},
): Promise<Ran> {
  const made = await container.exec({
    Cmd: [...args],
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    User: user,
    AttachStdout: true,
    AttachStderr: true,
  });
  const output = await made.start({ hijack: true, stdin: false });
  const late = setTimeout(() => {
    output.destroy(new Error(`${args.join(' ')}: not ended within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of output) chunks.push(Buffer.from(chunk));
    const { ExitCode } = await made.inspect();
    return { code: ExitCode ?? -1, ...split(Buffer.concat(chunks)) };
  } finally {
    clearTimeout(late);
  }
}

/** The engine sends frames: one byte that names the stream, three of nothing, four of length. */
function split(bytes: Buffer): { readonly stdout: string; readonly stderr: string } {
  const frames: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const start = at + HEADER_BYTES;
    const end = start + bytes.readUInt32BE(at + 4);
    frames[bytes[at] === STDERR ? 'stderr' : 'stdout'].push(bytes.subarray(start, end));
    at = end;
  }
  const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString('utf8');
  return { stdout: text(frames.stdout), stderr: text(frames.stderr) };
}
