/** The kernel's tables of mounts, as text: `/proc/<pid>/mountinfo`. Pure. Source: proc_pid_mountinfo(5), getmntent(3). */

export interface Mount {
  readonly id: string;
  readonly parent: string;
  /** `"254:1"` */
  readonly device: string;
  /** Which directory of its file system it shows. */
  readonly root: string;
  readonly point: string;
  /** Of this mount: `["rw", "nosuid"]`. */
  readonly options: readonly string[];
  /** `"ext4"` */
  readonly type: string;
  /** `"/dev/vda1"` */
  readonly source: string;
  /** Of its file system: `"rw,memory"`. */
  readonly superOptions: string;
}

/** In the kernel's order, in which a later mount covers an earlier one of the same point. What is no row is left out. */
export function readMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((row) => {
    const [own = '', ofFileSystem = ''] = row.split(' - ', 2);
    const [id = '', parent = '', device = '', root, point, options = ''] = own.split(' ');
    const [type = '', source = '', superOptions = ''] = ofFileSystem.split(' ');
    if (root === undefined || point === undefined) return [];
    const plain = { root: unescaped(root), point: unescaped(point), source: unescaped(source) };
    return [{ id, parent, device, ...plain, options: options.split(','), type, superOptions }];
  });
}

/** A blank in a path is `\040` there. */
export function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
