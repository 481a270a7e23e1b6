/** A device as the kernel counts it, of what `stat` says (`dev`, `rdev`); as glibc's gnu_dev_major and gnu_dev_minor, below 2^32. Source: makedev(3). */
export function deviceNumber(device: number): { readonly major: number; readonly minor: number } {
  return { major: (device >> 8) & 0xfff, minor: (device & 0xff) | ((device >> 12) & 0xfff00) };
}
