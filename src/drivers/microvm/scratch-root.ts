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
  compile(
    join(root, 'bin/udp-echo'),
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
}

/**
 * `/bin/forge`, which works on a host too, for root: `say ADDRESS PORT TEXT` sends a datagram as anybody may, `from SOURCE ADDRESS PORT TEXT` one
 * that says it comes from elsewhere, `arp INTERFACE ADDRESS` tells everybody that the address is here.
 */
export function addForgery(root: string): void {
  compile(join(root, 'bin/forge'), forgery);
}

function compile(program: string, text: string): void {
  const source = `${program}.c`;
  writeFileSync(source, text);
  execFileSync('cc', ['-static', '-O1', '-o', program, source]);
  rmSync(source);
}

const forgery = `#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
static int done(const char *what, long sent) {
  if (sent < 0) perror(what);
  else puts("sent");
  return sent < 0;
}
static int say(char **at) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(at[1])), .sin_addr.s_addr = inet_addr(at[0])};
  return done("say", sendto(socket(AF_INET, SOCK_DGRAM, 0), at[2], strlen(at[2]), 0, (void *)&to, sizeof to));
}
static int from(char **at) {
  struct { struct iphdr ip; struct udphdr udp; char text[64]; } packet = {0};
  size_t length = strlen(at[3]), whole = sizeof packet.ip + sizeof packet.udp + length;
  packet.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(whole)};
  packet.ip.saddr = inet_addr(at[0]);
  packet.ip.daddr = inet_addr(at[1]);
  packet.udp.source = htons(7777);
  packet.udp.dest = htons(atoi(at[2]));
  packet.udp.len = htons(sizeof packet.udp + length);
  memcpy(packet.text, at[3], length);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = packet.ip.daddr};
  return done("from", sendto(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), &packet, whole, 0, (void *)&to, sizeof to));
}
static int arp(char **at) {
  struct { struct ethhdr link; struct ether_arp arp; } frame = {0};
  struct ifreq own = {0};
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ARP));
  strncpy(own.ifr_name, at[0], IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFHWADDR, &own) < 0) return done(at[0], -1);
  memcpy(frame.link.h_source, own.ifr_hwaddr.sa_data, 6);
  memset(frame.link.h_dest, 0xff, 6);
  frame.link.h_proto = htons(ETH_P_ARP);
  frame.arp.ea_hdr = (struct arphdr){htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REPLY)};
  memcpy(frame.arp.arp_sha, own.ifr_hwaddr.sa_data, 6);
  memcpy(frame.arp.arp_tha, own.ifr_hwaddr.sa_data, 6);
  in_addr_t address = inet_addr(at[1]);
  memcpy(frame.arp.arp_spa, &address, 4);
  memcpy(frame.arp.arp_tpa, &address, 4);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = if_nametoindex(at[0])};
  return done("arp", sendto(fd, &frame, sizeof frame, 0, (void *)&to, sizeof to));
}
int main(int argc, char **argv) {
  if (argc == 5 && !strcmp(argv[1], "say")) return say(argv + 2);
  if (argc == 6 && !strcmp(argv[1], "from")) return from(argv + 2);
  if (argc == 4 && !strcmp(argv[1], "arp")) return arp(argv + 2);
  return 2;
}
`;
