/** What a machine is told to do, as the disk its init reads (native/guest/README.md), and how its command ended, as the disk it wrote. */
import { constants } from 'node:os';
import type { TaskExit } from '../../driver/contract.ts';

export interface StartOrder {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string;
  readonly uid: number;
  readonly gid: number;
  readonly hostName: string;
  /** Files in place of those of the root file system: `"/etc/hosts"`, `"/secrets/deep/key"`. */
  readonly files: readonly MachineFile[];
  /** Of its card; null: it has none. */
  readonly card: { readonly address: string; readonly gateway: string } | null;
}

export interface MachineFile {
  readonly path: string;
  readonly content: Uint8Array;
}

export const startLimit = 2 * 1024 * 1024;
export const endSize = 512;
const sector = 512;

export function startDisk(order: StartOrder): Buffer {
  const fields = [
    ...order.command.map((word) => text(1, word)),
    ...Object.entries(order.env).map(([name, value]) => text(2, `${name}=${value}`)),
    text(3, order.workDir),
    text(4, `${order.uid} ${order.gid}`),
    text(7, order.hostName),
    ...order.files.flatMap(({ path, content }) => [text(5, path), field(6, content)]),
    ...(order.card === null ? [] : [text(8, `${order.card.address} ${order.card.gateway}`)]),
  ];
  const body = Buffer.concat(fields);
  const head = Buffer.alloc(8);
  head.write('DRVM');
  head.writeUInt32BE(body.length, 4);
  const whole = Buffer.concat([head, body]);
  return Buffer.concat([whole, Buffer.alloc((sector - (whole.length % sector)) % sector)]);
}

const text = (tag: number, value: string): Buffer => field(tag, Buffer.from(`${value}\0`));

function field(tag: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(tag);
  head.writeUInt32BE(value.length, 1);
  return Buffer.concat([head, value]);
}

/** A wait status as the init wrote it. Null: it wrote none. */
export function readEnd(disk: Uint8Array): Pick<TaskExit, 'exitCode' | 'signal'> | null {
  const bytes = Buffer.from(disk);
  if (bytes.length < 8 || bytes.toString('latin1', 0, 4) !== 'DRVE') return null;
  return waitStatus(bytes.readUInt32BE(4));
}

export function waitStatus(status: number): Pick<TaskExit, 'exitCode' | 'signal'> {
  const signal = status & 0x7f;
  return signal === 0 ? { exitCode: (status >> 8) & 0xff, signal: 0 } : { exitCode: 128 + signal, signal };
}

/** `"SIGHUP"` → 1; null: there is none of that name. */
export function guestSignal(name: string): number | null {
  const signals = constants.signals as Readonly<Record<string, number>>;
  return Object.hasOwn(signals, name) ? signals[name]! : null;
}
