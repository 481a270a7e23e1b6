/** Ids are RFC 4122 version 4 UUIDs in lower case; people see the first eight characters. */
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Lower case only, as ids are written here. */
export function isUuid(text: string): boolean {
  return uuid.test(text);
}

/** `"1f3c…"` → its first eight characters. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}
