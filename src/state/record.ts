/**
 * A record: what the journal keeps of one row. It says itself what it is, so that it can be trusted or refused alone, wherever it is found.
 *
 *   bytes 0–3   CRC-32 of the rest, big-endian
 *   bytes 4–11  the commit that wrote it, big-endian
 *   rest        UTF-8 JSON: ["table","id",row], with integers beyond 2^53 as `rowText` writes them
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { JournalChange } from './journal.ts';

export interface StoredRecord {
  readonly table: string;
  readonly id: string;
  readonly row: object;
  /** The commit that wrote it. */
  readonly index: number;
}

const headLength = 12;
/** LMDB takes keys of at most 1978 bytes: longer ones are kept by their hash (the record knows the id). */
const maxKeyLength = 1900;

export function recordKey(table: string, id: string): Buffer {
  const key = Buffer.from(`${table}\u0000${id}`);
  if (key.length <= maxKeyLength) return key;
  return Buffer.from(`${table}\u0000\u0000${createHash('sha256').update(id).digest('hex')}`);
}

/** `table NUL id` → its two parts; what damaged keys say is shown, not trusted. */
export function splitKey(key: Buffer): readonly [table: string, id: string] {
  const text = key.toString();
  const at = text.indexOf('\u0000');
  return at < 0 ? ['', text] : [text.slice(0, at), text.slice(at + 1)];
}

const bigMark = '\u0000bigint:';
const markedBig = /^\u0000bigint:-?\d+$/;

/**
 * A row as JSON text. Nanosecond times are numbers beyond 2^53 and come back as numbers; integers that a job's free-form parts hold as
 * bigints come back as bigints: they are written as marked strings.
 */
export function rowText(row: object | null): string {
  try {
    return JSON.stringify(row);
  } catch (error) {
    if (!(error instanceof TypeError) || !/BigInt/.test(error.message)) throw error;
    return JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${bigMark}${value}` : value));
  }
}

/** JSON text with rows as `rowText` writes them → the value. */
export function parseRowText(text: string): unknown {
  if (!text.includes('\\u0000bigint:')) return JSON.parse(text);
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === 'string' && markedBig.test(value) ? BigInt(value.slice(bigMark.length)) : value,
  );
}

export function encodeRecord(change: JournalChange, index: number): Buffer {
  const json = change.json ?? rowText(change.row);
  const body = `[${JSON.stringify(change.table)},${JSON.stringify(change.id)},${json}]`;
  const record = Buffer.allocUnsafe(headLength + Buffer.byteLength(body));
  record.writeBigUInt64BE(BigInt(index), 4);
  record.write(body, headLength);
  record.writeUInt32BE(crc32(record.subarray(4)), 0);
  return record;
}

/** The record, or why these bytes are none. */
export function decodeRecord(key: Buffer, bytes: Buffer): StoredRecord | string {
  if (bytes.length <= headLength) return `only ${bytes.length} bytes long`;
  if (crc32(bytes.subarray(4)) !== bytes.readUInt32BE(0)) return 'the checksum does not match';
  const index = Number(bytes.readBigUInt64BE(4));
  const [table, id, row] = parseRowText(bytes.toString('utf8', headLength)) as [string, string, object];
  if (!recordKey(table, id).equals(key))
    return `stands under the key of another row (it is ${table} ${JSON.stringify(id)})`;
  return { table, id, row, index };
}
