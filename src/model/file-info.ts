/** A file or directory of an allocation, as `ls` and `stat` of the API give it. */
export interface FileInfo {
  readonly Name: string;
  readonly IsDir: boolean;
  /** Bytes. */
  readonly Size: number;
  /** Go's notation: `"-rw-r--r--"`, `"drwxrwxrwx"`. */
  readonly FileMode: string;
  /** RFC 3339. */
  readonly ModTime: string;
  /** Only of files: `"text/plain; charset=utf-8"`. */
  readonly ContentType?: string;
}
