/** The part of the engine's `WebAssembly` that is used here: Node's types do not have it. */
export interface WasmModule {
  readonly ofModule?: never;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>> & { readonly memory?: { readonly buffer: ArrayBuffer } };
}

interface Api {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly { readonly module: string; readonly name: string; readonly kind: string }[];
    exports(module: WasmModule): readonly { readonly name: string; readonly kind: string }[];
  };
  readonly Instance: new (module: WasmModule, imports: object) => WasmInstance;
  readonly RuntimeError: new () => Error;
}

export const webAssembly: Api = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;
