/** The content type of a file by its name, else by its first bytes (text or not). */
const byExtension: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  gif: 'image/gif',
  htm: 'text/html; charset=utf-8',
  html: 'text/html; charset=utf-8',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  mjs: 'text/javascript; charset=utf-8',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
  webp: 'image/webp',
  xml: 'text/xml; charset=utf-8',
};

/** By extension, else by the first 512 bytes: `"text/plain; charset=utf-8"` or `"application/octet-stream"`. */
export function contentType(path: string, start: Uint8Array): string {
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const known = byExtension[extension];
  if (known !== undefined) return known;
  // the control characters that text does not hold (WHATWG MIME sniffing, "binary data byte")
  const binary = start.some(
    (byte) => byte <= 8 || byte === 11 || (byte >= 14 && byte <= 26) || (byte >= 28 && byte <= 31),
  );
  return binary ? 'application/octet-stream' : 'text/plain; charset=utf-8';
}
