/** Whom tests run their agents as: this user, and where that is root an unprivileged one too. */
interface TestUser {
  readonly who: string;
  /** undefined: this user. */
  readonly uid: number | undefined;
  readonly skip: boolean;
}

const isRoot = process.getuid?.() === 0;

export const users: readonly TestUser[] = [
  { who: isRoot ? 'root' : 'this user', uid: undefined, skip: false },
  // named as skipped where it cannot be had
  { who: 'an unprivileged user', uid: 61_234, skip: !isRoot },
];
