import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { jsonLines } from './engine-client.ts';

test('values of an answer are read line by line, wherever its parts end, and one without an end is not kept', async () => {
  const bytes = Buffer.from('{"name":"Ä🚂"}\n{"name":"b"}');
  for (let at = 1; at < bytes.length; at++) {
    const stream = new PassThrough();
    stream.write(bytes.subarray(0, at));
    stream.end(bytes.subarray(at));
    const names = [];
    for await (const { name } of jsonLines(stream)) names.push(name);
    expect(names).toEqual(['Ä🚂', 'b']);
  }
  const endless = async () => {
    const stream = new PassThrough();
    void (async () => {
      for (let at = 0; at < 40 && !stream.destroyed; at++) {
        stream.write(Buffer.alloc(1 << 20, 0x78));
        await new Promise(setImmediate);
      }
      stream.end();
    })();
    for await (const _ of jsonLines(stream)) throw new Error('it has no line');
  };
  await expect(endless()).rejects.toThrow('a line of more than 16777216 characters');
});
