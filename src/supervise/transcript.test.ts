import { describe, expect, test } from 'vitest';
import type { StartRecord } from './contract.ts';
import { exitRecord, shimStatus } from './exit-record.ts';
import { encodeExec, encodeStart, tag } from './start-fields.ts';
import transcript from './transcript-v1.json' with { type: 'json' };
import { encodeVerify } from './verify-fields.ts';
import { clientFrame, encodeFrame, FrameReader, field, shimFrame, u8, u16, u32 } from './wire.ts';

/** Version 1 of the protocol, byte by byte. A change here is a new version, never an edit: shims of version 1 are running. */

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const text = (value: string) => new TextEncoder().encode(value);

const record: StartRecord = {
  id: 'a/web/0000002a',
  directory: '/d',
  launcher: { kind: 'oci', start: ['r', 'start'], delete: ['r', 'delete'], pidFile: '/p' },
  command: ['r', 'create'],
  env: { A: 'b=c', E: '' },
  workDir: '/w',
  identity: {
    uid: 1000,
    gid: 1001,
    groups: [7, 8],
    rlimits: [{ resource: 7, soft: 1024n, hard: 0xffff_ffff_ffff_ffffn }],
    oomScoreAdj: -5,
    umask: 0o027,
    noNewPrivs: true,
    capabilities: 1024n,
    seccomp: Uint8Array.of(6, 0, 0, 0, 0, 0, 255, 127),
  },
  cgroups: ['/c/pids', '/c/memory'],
  network: '/n',
  killUnit: { kind: 'cgroup', directories: ['/c/pids'] },
  memoryCgroup: '/c/memory',
  output: {
    mode: 'rotate',
    directory: '/l',
    stdout: 'web.stdout',
    stderr: 'web.stderr',
    maxFiles: 10,
    maxBytes: 10_485_760,
    fileMode: 0o600,
  },
  stop: { signal: 2, timeoutMs: 5000 },
  gate: { timeoutMs: 30_000 },
  verify: Uint8Array.of(1, 2, 3),
};

const frames: Record<string, Uint8Array> = {
  hello: encodeFrame(clientFrame.hello, u8(1), u8(1)),
  status: encodeFrame(clientFrame.status, u32(1)),
  signal: encodeFrame(clientFrame.signal, u32(2), field(tag.stopSignal, u32(10))),
  stop: encodeFrame(clientFrame.stop, u32(3), field(tag.stopSignal, u32(15)), field(tag.stopTimeoutMs, u32(5000))),
  go: encodeFrame(clientFrame.go, u32(4)),
  exec: encodeFrame(
    clientFrame.exec,
    u32(5),
    encodeExec({
      command: ['sh', '-c', 'x'],
      env: { T: '1' },
      workDir: '/',
      user: { uid: 1, gid: 2, groups: [3] },
      tty: true,
      size: { height: 24, width: 80 },
      host: true,
    }),
  ),
  shutdown: encodeFrame(clientFrame.shutdown, u32(6)),
  report: encodeFrame(clientFrame.report, u32(7)),
  stdin: encodeFrame(clientFrame.stdin, u32(5), text('hi')),
  stdinEnd: encodeFrame(clientFrame.stdinEnd, u32(5)),
  resize: encodeFrame(clientFrame.resize, u32(5), u16(25), u16(81)),
  window: encodeFrame(clientFrame.window, u32(5), u8(2), u32(1000)),
  sessionSignal: encodeFrame(clientFrame.sessionSignal, u32(5), u32(9)),
  start: encodeFrame(1, u32(8), encodeStart(record)),
  collect: encodeStart({
    ...record,
    launcher: { kind: 'none' },
    output: {
      mode: 'collect',
      directory: '/l',
      stdout: 'o',
      stderr: 'e',
      maxFiles: 1,
      maxBytes: 1,
      stdoutFifo: '/fo',
      stderrFifo: '/fe',
    },
  }),
  pidNamespace: encodeStart({
    ...record,
    launcher: { kind: 'direct' },
    killUnit: { kind: 'pid-namespace', mountProc: true },
    output: { mode: 'discard' },
  }),
  forward: encodeStart({
    ...record,
    launcher: { kind: 'bwrap' },
    killUnit: { kind: 'session' },
    output: { mode: 'forward', stdout: '/o', stderr: '/e' },
  }),
  verify: encodeFrame(
    1,
    encodeVerify({
      nonce: 'n',
      command: ['c'],
      env: { A: 'b' },
      workDir: '/w',
      identity: { noNewPrivs: true },
      keep: [7],
    }),
  ),
};

test('numbers of frames are what version 1 says', () => {
  expect({ ...clientFrame }).toEqual(transcript.clientFrames);
  expect({ ...shimFrame }).toEqual(transcript.shimFrames);
  expect({ ...tag }).toEqual(transcript.tags);
});

describe('what a client of version 1 sends', () => {
  test.each(Object.keys(frames))('%s', (name) => {
    expect(hex(frames[name] as Uint8Array)).toBe((transcript.sent as Record<string, string>)[name]);
  });

  test('is pinned for every frame there is', () => {
    expect(Object.keys(transcript.sent).sort()).toEqual(Object.keys(frames).sort());
  });
});

describe('what a shim of version 1 sends', () => {
  test('is understood', () => {
    const received = new FrameReader().push(Buffer.from(transcript.received, 'hex'));
    expect(received.map((frame) => frame.type)).toEqual(Object.values(transcript.shimFrames));
    expect(exitRecord(transcript.exitRecord)).toMatchObject({
      code: 143,
      signal: 15,
      by: 'stop',
      startedAt: 1795486299000000000n,
    });
    expect(shimStatus({ ...transcript.status, exit: transcript.exitRecord })).toMatchObject({
      state: 'held',
      pid: 815,
      startTime: 48219n,
    });
  });
});
