/** Where the executor's other programs are: beside this file in the bundle, or as source under tsx. */
export interface SiblingProgram {
  readonly file: URL;
  /** Present when running from source: the loader for a process, and its API for a thread. */
  readonly loader?: { readonly flag: string; readonly api: string };
}

export function siblingProgram(name: 'runner' | 'watchdog'): SiblingProgram {
  if (!import.meta.url.endsWith('.ts'))
    return { file: new URL(`./wasm-${name}.js`, import.meta.url) };
  const loader = { flag: import.meta.resolve('tsx'), api: import.meta.resolve('tsx/esm/api') };
  return { file: new URL(`./${name}.ts`, import.meta.url), loader };
}
