/** How programs are installed on a system, by its os-release, and what the packages that bring them are called there. Pure. */

/** What a host may lack that a package brings; `newuidmap`: with `newgidmap` and `usermod`; `cc`: whatever a static C program is built with. */
type Packaged = 'bwrap' | 'runc' | 'crun' | 'unshare' | 'newuidmap' | 'cc';

export interface Installer {
  /** Asks nothing: `"apt-get install -y"`; empty: nobody knows how programs are installed here. */
  readonly command: string;
  readonly packages: Readonly<Record<Packaged, string>>;
  /** Newer releases of it have no runc any more. */
  readonly dropsRunc: boolean;
}

const everywhere = { bwrap: 'bubblewrap', runc: 'runc', crun: 'crun', unshare: 'util-linux' } as const;

function installer(command: string, newuidmap: string, cc: string, dropsRunc = false): Installer {
  return { command, packages: { ...everywhere, newuidmap, cc }, dropsRunc };
}

/** By the words of `ID` and `ID_LIKE`. Sources: packages.debian.org, packages.fedoraproject.org, pkgs.alpinelinux.org, archlinux.org/packages, software.opensuse.org. */
const installers: readonly (readonly [RegExp, Installer])[] = [
  [/\b(debian|ubuntu)\b/, installer('apt-get install -y', 'uidmap', 'gcc libc6-dev')],
  // RHEL 10 removed runc
  [/\b(fedora|rhel|centos)\b/, installer('dnf install -y', 'shadow-utils', 'gcc glibc-static', true)],
  [/\balpine\b/, installer('apk add', 'shadow shadow-uidmap', 'gcc musl-dev linux-headers')],
  [/\barch\b/, installer('pacman -S --noconfirm', 'shadow', 'gcc')],
  [/\b(suse|opensuse)\b/, installer('zypper install -y', 'shadow', 'gcc glibc-devel-static')],
];

/** Debian's names are as good a guess as any. */
const unknown = installer('', 'uidmap', 'gcc');

/** Of `/etc/os-release`. Source: os-release(5). */
export function installerOf(release: string): Installer {
  const ids = [...release.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].map(([, value = '']) => value).join(' ');
  return installers.find(([pattern]) => pattern.test(ids))?.[1] ?? unknown;
}

/** The command line, without `sudo`; a sentence where nobody knows it. */
export function installLine({ command, packages }: Installer, program: Packaged): string {
  return `${command || 'install'} ${packages[program]}`;
}
