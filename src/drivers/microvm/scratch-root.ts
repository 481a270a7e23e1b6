/** A root file system for tests: busybox under all its names, and a program that answers by UDP, which busybox has none of. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '../../lib/node/directories.ts';

export function busyboxRoot(at: string): void {
  for (const name of ['bin', 'proc', 'sys', 'dev', 'etc', 'root']) makeDirectories(join(at, name));
  chmodSync(at, 0o755);
  cpSync('/bin/busybox', join(at, 'bin/busybox'));
  for (const name of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (name !== 'busybox') symlinkSync('busybox', join(at, 'bin', name));
}

/** `/bin/udp-echo PORT`: answers `"udp sees "` and what it was sent. */
export function addUdpEcho(root: string): void {
  const program = join(root, 'bin/udp-echo');
  const source = `${program}.c`;
  writeFileSync(
    source,
    `#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[argc - 1]))}, from;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  char text[512] = "udp sees ";
  size_t head = strlen(text);
  for (bind(fd, (void *)&at, sizeof at);;) {
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(fd, text + head, sizeof text - head, 0, (void *)&from, &size);
    if (n > 0) sendto(fd, text, head + (size_t)n, 0, (void *)&from, size);
  }
}
`,
  );
  execFileSync('cc', ['-static', '-O1', '-o', program, source]);
  rmSync(source);
}
