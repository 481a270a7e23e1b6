/** What a path names. */
export type PathKind = 'file' | 'directory' | 'other' | 'absent';

/** Files for `file`, `fileset` and the like. Synchronous; a method throws an `Error` with the reason when it fails. */
export interface FileAccess {
  /** Relative paths start here. */
  readonly workingDirectory: string;
  /** Home directory of a user, of the current one without a name. */
  home(user: string): string;
  read(path: string): Uint8Array;
  kind(path: string): PathKind;
  /** Names in a directory, in any order. */
  list(path: string): readonly string[];
}

export type HashName = 'md5' | 'sha1' | 'sha256' | 'sha512';

/**
 * What functions need from outside. Each part may be missing: then its functions fail with a diagnostic. Without
 * `files` all file system functions are refused, even those that only handle names, as a server must.
 */
export interface FunctionHost {
  readonly files?: FileAccess | undefined;
  readonly hash?: ((name: HashName, data: Uint8Array) => Uint8Array) | undefined;
  /** `length` random bytes. */
  readonly random?: ((length: number) => Uint8Array) | undefined;
  /** The text of a bcrypt hash with a random salt. */
  readonly bcrypt?: ((password: string, cost: number) => string) | undefined;
  /** Decrypts PKCS #1 v1.5 with a private key in PEM. */
  readonly rsaDecrypt?: ((data: Uint8Array, privateKey: string) => Uint8Array) | undefined;
}
