/**
 * Hosts of other distributions that lack a program: this machine's files with a layer of memory above as the root of a mount namespace, in which
 * the distribution's own package manager is unpacked, with its database and one repository. What the repository has is made of the programs that
 * are here, under the names that the distribution gives their packages.
 */
import { join } from 'node:path';
import type { RemedyKind } from '../../src/isolation/remedy.ts';
import { downloaded, unpack } from '../downloads.ts';
import { advises, type WantedRemedy } from '../wanted-remedy.ts';
import { type CrippledHost, groupsOfUser, named, ownEtc } from './crippled-hosts.ts';

const repository = join(import.meta.dirname, '../..');

interface Distribution {
  readonly id: string;
  readonly release: string;
  /** Of `downloaded`; null: it is this system's own. */
  readonly manager: string | null;
  /** Shell: `pack NAME` makes a package of the files below /repo/NAME, `serve` a repository of all. */
  readonly shell: string;
  /** The command line up to the packages' names. */
  readonly install: string;
  readonly packages: Readonly<Record<'newuidmap' | 'cc', string>>;
}

const rpm = `pack() {
  (cd /repo/$1 && find . ! -type d | sed 's,^\\.,,') >/repo/$1.files
  printf 'Name: %s\\nVersion: 1\\nRelease: 1\\nSummary: x\\nLicense: x\\nAutoReqProv: no\\n%%description\\n%%install\\ncp -a /repo/%s/. %%{buildroot}\\n%%files -f /repo/%s.files\\n%%defattr(-,root,root)\\n' $1 $1 $1 >/repo/$1.spec
  rpmbuild -bb --define '_topdir /repo/build' --define '__os_install_post %{nil}' --define 'debug_package %{nil}' /repo/$1.spec
}
index() { createrepo_c /repo/build/RPMS; }`;

const deb = `pack() {
  # what goes with the package in dpkg's own hands comes back with it
  dpkg -L $1 | while read -r f; do if [ -L "$f" ] || [ ! -d "$f" ]; then echo ".$f"; fi; done | tar -c -C / -T - | tar -x -C /repo/$1
  mkdir /repo/$1/DEBIAN; v=$(dpkg-query -Wf '\${Version}' $1)
  printf 'Package: %s\\nVersion: %s\\nArchitecture: amd64\\nMaintainer: x\\nDescription: x\\n' $1 $v >/repo/$1/DEBIAN/control
  # what is installed already counts on it
  dpkg-query -Wf 'Provides: \${Provides}\\n' $1 | grep 'Provides: .' >>/repo/$1/DEBIAN/control || :
  dpkg-deb -Znone -b /repo/$1 /repo/$1.deb
  { cat /repo/$1/DEBIAN/control; echo "Filename: $1.deb"; echo "Size: $(stat -c %s /repo/$1.deb)"; echo "SHA256: $(sha256sum </repo/$1.deb | cut -d' ' -f1)"; echo; } >>/repo/Packages
}
serve() {
  rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf.d/*; echo 'deb [trusted=yes] file:/repo ./' >/etc/apt/sources.list; apt-get update
  # an index of pages that nobody reads here
  [ ! -e /usr/bin/mandb ] || ln -sf /bin/true /usr/bin/mandb
  dpkg --purge --force-all $packed
}`;

const pacman = `pack() {
  (cd /repo/$1; printf 'pkgname = %s\\npkgver = 1-1\\narch = x86_64\\nsize = 1\\n' $1 >.PKGINFO; tar czf /repo/$1-1-1-x86_64.pkg.tar.gz .PKGINFO *)
  f=$1-1-1-x86_64.pkg.tar.gz; mkdir -p /repo/db/$1-1-1
  printf '%%FILENAME%%\\n%s\\n\\n%%NAME%%\\n%s\\n\\n%%VERSION%%\\n1-1\\n\\n%%CSIZE%%\\n%s\\n\\n%%ARCH%%\\nx86_64\\n\\n%%SHA256SUM%%\\n%s\\n' $f $1 $(stat -c %s /repo/$f) $(sha256sum </repo/$f | cut -d' ' -f1) >/repo/db/$1-1-1/desc
}
serve() {
  (cd /repo/db; tar czf /repo/here.db *)
  printf '[options]\\nArchitecture = auto\\nSigLevel = Never\\n[here]\\nServer = file:///repo\\n' >/etc/pacman.conf
  mkdir -p /var/lib/pacman; pacman -Sy
}`;

const distributions: readonly Distribution[] = [
  {
    id: 'Debian',
    release: 'ID=debian',
    manager: null,
    shell: deb,
    install: 'apt-get install -y',
    packages: { newuidmap: 'uidmap', cc: 'gcc libc6-dev' },
  },
  {
    id: 'Fedora',
    release: 'ID=fedora\\nVERSION_ID=43',
    manager: 'dnf',
    shell: `${rpm}
serve() { index; rm -f /etc/yum.repos.d/*; mkdir -p /etc/yum.repos.d; printf '[here]\\nname=here\\nbaseurl=file:///repo/build/RPMS\\ngpgcheck=0\\n' >/etc/yum.repos.d/here.repo; }`,
    install: 'dnf install -y',
    packages: { newuidmap: 'shadow-utils', cc: 'gcc glibc-static' },
  },
  {
    id: 'openSUSE',
    release: 'ID="opensuse-leap"\\nID_LIKE="suse opensuse"\\nVERSION_ID="15.6"',
    manager: 'zypper',
    shell: `${rpm}
serve() { index; zypper --non-interactive addrepo --no-gpgcheck file:///repo/build/RPMS here; }`,
    install: 'zypper install -y',
    packages: { newuidmap: 'shadow', cc: 'gcc glibc-devel-static' },
  },
  {
    id: 'Arch Linux',
    release: 'ID=arch',
    manager: 'pacman',
    shell: pacman,
    install: 'pacman -S --noconfirm',
    packages: { newuidmap: 'shadow', cc: 'gcc' },
  },
];

/** Files by package; `from` where the program is another one's link. */
function stage(name: string, files: readonly string[]): string {
  const copies = files.map(
    (file) => `install -D -m $(stat -Lc %a ${file}) "$(readlink -f ${file})" /repo/${name}${file}`,
  );
  return `${copies.join('; ')}; pack ${name}; packed="$packed ${name}"; rm -f ${files.join(' ')}`;
}

const compiler = '/usr/bin/gcc';
const library = '/usr/lib/x86_64-linux-gnu/libc.a';

/** The root of a mount namespace; what a distribution's package manager keeps is in memory. */
const privateRoot = `mkdir "$BIN/o"; mount -t tmpfs none "$BIN/o"; mkdir "$BIN/o/upper" "$BIN/o/work" "$BIN/o/root"
mount -t overlay -o "lowerdir=/,upperdir=$BIN/o/upper,workdir=$BIN/o/work" none "$BIN/o/root"
for d in proc sys dev; do mount --rbind /$d "$BIN/o/root/$d"; done
cd "$BIN/o/root"; mkdir .outside; pivot_root . .outside; umount -l /.outside; cd /`;

function hostOf({ release, manager, shell }: Distribution, lost: readonly string[]): string {
  const packages = ['sudo', ...(manager === null ? [] : [manager])].flatMap(downloaded);
  const prepared = [
    unpack(packages),
    'ldconfig; mkdir /repo; packed=',
    `rm -f /etc/os-release; printf '${release}\\n' >/etc/os-release`,
    shell,
    ...lost,
    'serve',
  ];
  return `${privateRoot}; { set -e; ${prepared.join('\n')}\nset +e; } >&2`;
}

export interface ForeignHost extends Pick<CrippledHost, 'name' | 'cripple' | 'user'> {
  readonly rung: string;
  readonly remedy: WantedRemedy;
  /** Packages without which it cannot be made. */
  readonly lacking: readonly string[];
}

const brokenBubblewrap =
  "printf '#!/bin/sh\\n[ $1 != --version ] || exec echo bubblewrap 0.8.0; exit 1\\n' >/usr/bin/bwrap";
const noRuntimes = 'rm -f /usr/sbin/runc /usr/bin/crun';

const rootless = `${ownEtc()}; echo 'drover-test:*:19000:0:99999:7:::' >>/etc/shadow
echo 'drover-test ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers; ${groupsOfUser}`;
const exactly = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

export const foreignHosts: readonly ForeignHost[] = distributions.flatMap((distribution) => {
  const { id, install, packages, manager } = distribution;
  const lacking = ['sudo', ...(manager === null ? [] : [manager])].filter((name) => downloaded(name).length === 0);
  const host = (what: string, rung: string, remedy: readonly [RemedyKind, string], lost: readonly string[]) => ({
    name: `${id}: ${what}`,
    rung,
    remedy: advises(remedy[0], new RegExp(`^${exactly(remedy[1])}`)),
    lacking,
    cripple: hostOf(distribution, lost),
  });
  const [cc = '', libc = cc] = packages.cc.split(' ');
  const built = cc === libc ? [stage(cc, [compiler, library])] : [stage(cc, [compiler]), stage(libc, [library])];
  const mapper = packages.newuidmap;
  const withoutIds = host(
    'a user without ids, and no newuidmap',
    'container',
    ['give_ids', `sudo ${install} ${mapper} && sudo usermod --add-subuids`],
    [stage(mapper, ['/usr/bin/newuidmap', '/usr/bin/newgidmap'])],
  );
  const withoutUnshare = host(
    'a broken runtime, and no unshare',
    'sandbox',
    ['install_runtime', `${install} util-linux`],
    [stage('util-linux', ['/usr/bin/unshare']), `${noRuntimes}; ${brokenBubblewrap}`],
  );
  return [
    host(
      'no runtime',
      'sandbox',
      ['install_runtime', `${install} bubblewrap`],
      [stage('bubblewrap', ['/usr/bin/bwrap']), `${noRuntimes} /usr/bin/unshare`],
    ),
    host(
      'no OCI runtime',
      'container',
      ['install_runtime', `${install} runc`],
      [stage('runc', ['/usr/sbin/runc']), noRuntimes],
    ),
    // Debian itself cannot be without its own
    ...(id === 'Debian' ? [] : [withoutUnshare]),
    { ...withoutIds, cripple: `${withoutIds.cripple}; ${rootless}`, user: named },
    host(
      'no native programs, and no compiler',
      'process',
      ['build_programs', `${install} ${packages.cc} && node ${repository}/scripts/build-native.mjs`],
      [...built, `rm -rf /usr/bin/cc /usr/bin/clang ${repository}/build/native ${repository}/prebuilt`],
    ),
  ];
});
