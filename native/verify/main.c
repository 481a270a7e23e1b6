/*
 * drover-verify: what it is told is its work. With a descriptor it is the entry process of a sandbox (verify.c); where bare.c is built in,
 * that one way does not pass here.
 */
#include "../privileges.h"
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "enter.h"
#include "probes.h"
#include "reach.h"
#include "tries.h"

_Noreturn void verify_fd(const char *number);

int main(int argc, char **args) {
  if (argc > 2 && !strcmp(args[1], "reach")) return reach(argc - 2, args + 2);
  if (argc > 3 && (!strcmp(args[1], "enter") || !strcmp(args[1], "beside"))) return enter_network(args[2], args[1][0] == 'e', args + 3);
  if (argc > 1 && !strcmp(args[1], "try")) return try_all(args + 2);
  if (argc > 1 && !strcmp(args[1], "canary")) return canary();
  if (argc > 2 && !strcmp(args[1], "is-user")) return geteuid() != (uid_t)atol(args[2]);
  if (argc > 2 && !strcmp(args[1], "quota")) return quota_main(argc - 2, args + 2);
  if (argc > 2 && !strcmp(args[1], "probe")) return probe_main(argc - 2, args + 2);
  if (argc != 2) {
    static const char usage[] =
      "usage: drover-verify FD | reach ADDRESS:PORT... | enter|beside NETWORK COMMAND... | probe landlock DIRECTORY | probe kvm | probe quota DIRECTORY UID ID | "
      "probe devices GROUP | quota bound|adopt|free DIRECTORY... | canary | is-user UID | try KEY=VALUE... (docs/shim-protocol.md)\n";
    return write_all(2, usage, sizeof usage - 1) ? 2 : 2;
  }
  verify_fd(args[1]);
}
