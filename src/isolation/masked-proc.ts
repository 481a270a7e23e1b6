import { existsSync } from 'node:fs';

/** Files of /proc that tell of the host whatever the namespace, as far as this kernel has them: covered in every sandbox. Source: proc(5). */
export const maskedProc: readonly string[] = ['/proc/kcore', '/proc/keys', '/proc/timer_list'].filter((path) =>
  existsSync(path),
);
