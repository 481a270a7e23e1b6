/**
 * The system calls a sandboxed task does not get, one table for every architecture: [x86_64, aarch64]; −1: not there.
 * Names and numbers: the kernel's own headers (asm/unistd_64.h, asm-generic/unistd.h). Everything newer than `newest` answers ENOSYS.
 */
export type SeccompArch = 'x64' | 'arm64';

/** AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 (linux/audit.h). */
export const auditArch: Readonly<Record<SeccompArch, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };

/** The last system call the table was made against (6.18). */
export const newest = 470;

/** Answered with EPERM. */
export const denied: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  // the kernel itself: modules, images, tracing of others, programs in the kernel
  acct: [163, 89],
  bpf: [321, 280],
  create_module: [174, -1],
  delete_module: [176, 106],
  finit_module: [313, 273],
  get_kernel_syms: [177, -1],
  init_module: [175, 105],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  perf_event_open: [298, 241],
  query_module: [178, -1],
  reboot: [169, 142],
  swapoff: [168, 225],
  swapon: [167, 224],
  syslog: [103, 116],
  sysfs: [139, -1],
  _sysctl: [156, -1],
  uselib: [134, -1],
  ustat: [136, -1],
  vhangup: [153, 58],
  // mounts, namespaces and quotas
  chroot: [161, 51],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fsopen: [430, 430],
  file_setattr: [469, 469],
  fspick: [433, 433],
  listmount: [458, 458],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open_by_handle_at: [304, 265],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  pivot_root: [155, 41],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  setns: [308, 268],
  statmount: [457, 457],
  umount2: [166, 39],
  unshare: [272, 97],
  // what has no namespace: keys, clocks, host names seen by all, notification of foreign files
  add_key: [248, 217],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  clock_settime: [227, 112],
  fanotify_init: [300, 262],
  keyctl: [250, 219],
  request_key: [249, 218],
  setdomainname: [171, 162],
  sethostname: [170, 161],
  settimeofday: [164, 170],
  // other processes, and large surfaces that ordinary programs do without
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
  ioperm: [173, -1],
  iopl: [172, -1],
  kcmp: [312, 272],
  lsm_set_self_attr: [460, 460],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  pidfd_getfd: [438, 438],
  process_madvise: [440, 440],
  userfaultfd: [323, 282],
};

/** clone3 hides its flags in memory: answered ENOSYS, so that libraries fall back to clone, whose flags can be seen. */
export const hidden: Readonly<Record<string, readonly [x64: number, arm64: number]>> = { clone3: [435, 435] };

/** A call refused for some values of its arguments. */
export interface ArgumentRule {
  readonly name: string;
  readonly numbers: readonly [x64: number, arm64: number];
  /** Which argument, 0 … 5; its low 32 bits are looked at. */
  readonly argument: number;
  /** `any-bit`: refused where (argument & value) ≠ 0; `equal`: where it equals one of the values; `not-in`: where it equals none. */
  readonly refuse: 'any-bit' | 'equal' | 'not-in';
  readonly values: readonly number[];
}

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h). */
const cloneNamespaces = 0x7e02_0000;
const afAlg = 38;
const afVsock = 40;
const tiocsti = 0x5412;
const tioclinux = 0x541c;
/** FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS (linux/fs.h): a file's owner could give it to another project, and so take it out of its quota. */
const setProject = 0x401c_5820;
const setFlags = 0x4008_6602;

/**
 * RLIMIT_CORE (asm-generic/resource.h), and the calls that change it. A limit of 1 alone keeps the kernel from writing an image of a process's
 * memory and from handing it to the program that core_pattern names, which would be root of the host; with 0 that is run all the same. So a task
 * keeps what it has: the calls succeed and change nothing, for programs that want no images end where they are refused.
 */
export const coreLimit = { resource: 4, setrlimit: [160, 164], prlimit64: [302, 261] } as const;

export const argumentRules: readonly ArgumentRule[] = [
  { name: 'clone', numbers: [56, 220], argument: 0, refuse: 'any-bit', values: [cloneNamespaces] },
  { name: 'socket', numbers: [41, 198], argument: 0, refuse: 'equal', values: [afAlg, afVsock] },
  {
    name: 'ioctl',
    numbers: [16, 29],
    argument: 1,
    refuse: 'equal',
    values: [tiocsti, tioclinux, setProject, setFlags],
  },
  // the personalities ordinary programs use: none, Linux 32 bit, without randomisation, and the question
  {
    name: 'personality',
    numbers: [135, 92],
    argument: 0,
    refuse: 'not-in',
    values: [0, 0x8, 0x20000, 0x20008, 0x40000, 0xffff_ffff],
  },
];
