/** What is asked of a broker, as a script over raw TCP: who sends what, and what becomes of the connection. */
export interface Step {
  readonly by: string;
  readonly send: string;
  readonly ends?: true;
  readonly part?: true;
}

export interface Behaviour {
  readonly name: string;
  readonly server: 'open' | 'auth';
  readonly steps: readonly Step[];
  /** Why the transcripts may differ; what is compared then is the sorted lines without `+OK`. */
  readonly exception?: string;
}

export const MAX_PAYLOAD = 4096;

export const QUIET = hello({});
export const step = (by: string, send: string): Step => ({ by, send });
export const last = (by: string, send: string): Step => ({ by, send, ends: true });
export const part = (by: string, send: string): Step => ({ by, send, part: true });

export function hello(options: Readonly<Record<string, unknown>>): string {
  const all = { verbose: false, pedantic: false, headers: true, no_responders: true, ...options };
  return `CONNECT ${JSON.stringify(all)}\r\n`;
}

export function open(name: string, ...steps: readonly Step[]): Behaviour {
  return { name, server: 'open', steps };
}

export function auth(name: string, ...steps: readonly Step[]): Behaviour {
  return { name, server: 'auth', steps };
}

export function excepted(exception: string, behaviour: Behaviour): Behaviour {
  return { ...behaviour, exception };
}
