import { constants, createHash, createPrivateKey, privateDecrypt, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import type { FileAccess, FunctionHost } from '../../hcl/functions/host.ts';
import { bcryptHash } from '../bcrypt.ts';

/** Largest file that a function reads, in bytes. */
const maxFileBytes = 16 * 1024 * 1024;

function kindOf(path: string): ReturnType<FileAccess['kind']> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'absent';
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
}

/** The real file system, relative paths starting in `workingDirectory`. */
function nodeFiles(workingDirectory: string): FileAccess {
  return {
    workingDirectory,
    home: () => homedir(),
    kind: kindOf,
    list: (path) => readdirSync(path),
    read: (path) => {
      const { size } = statSync(path);
      if (size > maxFileBytes) throw new Error(`${size} bytes are more than the ${maxFileBytes} that are read`);
      return readFileSync(path);
    },
  };
}

/**
 * What the functions of HCL need from this machine. Without a `workingDirectory` no file is reachable and every file
 * system function is refused: a server must not read files for its callers.
 */
export function nodeFunctionHost(options: { readonly workingDirectory?: string | undefined } = {}): FunctionHost {
  const { workingDirectory } = options;
  return {
    files: workingDirectory === undefined ? undefined : nodeFiles(workingDirectory),
    hash: (name, data) => createHash(name).update(data).digest(),
    random: (length) => randomBytes(length),
    bcrypt: (password, cost) => bcryptHash(new TextEncoder().encode(password), cost, randomBytes(16)),
    rsaDecrypt: (data, pem) =>
      privateDecrypt({ key: createPrivateKey(pem), padding: constants.RSA_PKCS1_PADDING }, data),
  };
}
