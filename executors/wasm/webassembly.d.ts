/** The part of the WebAssembly JavaScript interface that is used here; the compiler has it only in its DOM library. */
declare namespace WebAssembly {
  type ExternalKind = 'function' | 'table' | 'memory' | 'global' | 'tag';

  class Memory {
    private constructor();
    readonly buffer: ArrayBuffer;
  }

  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): readonly ModuleImportDescriptor[];
    static exports(module: Module): readonly ModuleExportDescriptor[];
  }

  interface ModuleImportDescriptor {
    readonly module: string;
    readonly name: string;
    readonly kind: ExternalKind;
  }

  interface ModuleExportDescriptor {
    readonly name: string;
    readonly kind: ExternalKind;
  }

  class Instance {
    private constructor();
    readonly exports: Readonly<Record<string, unknown>>;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  function compile(bytes: Uint8Array): Promise<Module>;
}
