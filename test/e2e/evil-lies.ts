/** Every lie we could think of, and the words by which an operator is told of it. */
import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import * as wire from '../../src/driver/gen/nomad/driver_pb.ts';
import type { Spec } from '../../src/driver/gen/nomad/hclspec_pb.ts';
import { configSchema, info, type Lie, message, report, rubbish, spec, started, taskSchema } from './evil-plugin.ts';

const handshake = (says: string, line: string, fault: RegExp): Lie => ({
  says,
  program: `echo "${line}"; exec sleep 1000`,
  fault,
});

const deep = (levels: number): Spec =>
  levels === 0
    ? spec({ case: 'object', value: { attributes: {} } } as never)
    : spec({ case: 'blockValue', value: { name: 'b', required: false, nested: deep(levels - 1) } } as never);

const attribute = (type: string, required = false): Spec =>
  spec({
    case: 'object',
    value: { attributes: { x: spec({ case: 'Attr', value: { name: 'x', type, required } } as never) } },
  } as never);

const long = (characters: number): string => 'x'.repeat(characters);
const driverError = { status: status.UNKNOWN, details: 'the engine is on fire' } as const;
const many = Object.fromEntries(
  Array.from({ length: 2000 }, (_, at) => [`a${at}`, { value: { case: 'intVal', value: 1n } }]),
);

const handshakes: readonly Lie[] = [
  handshake('its first line is no handshake', 'hello, I am a plugin', /too few fields/),
  handshake('its handshake has three fields', '1|2|unix', /too few fields/),
  handshake('its handshake is of another core protocol', '9|2|unix|$SOCKET|grpc|', /core protocol 9/),
  handshake('its handshake is of another protocol', '1|1|unix|$SOCKET|grpc|', /protocol 1, expected 2/),
  handshake('its handshake names no network there is', '1|2|pigeon|$SOCKET|grpc|', /network pigeon/),
  handshake('it speaks net/rpc', '1|2|unix|$SOCKET|netrpc', /only grpc is spoken/),
  handshake('it listens nowhere', '1|2|unix||grpc|', /no address/),
  handshake('its socket is not there', '1|2|unix|/no/such.sock|grpc|', /PluginInfo/),
  handshake('its port is closed', '1|2|tcp|127.0.0.1:1|grpc|', /PluginInfo/),
  { says: 'it ends with an error', program: 'echo "[ERROR] no engine" >&2; exit 3', fault: /ended before.*no engine/ },
  {
    says: 'it throws while it is loaded',
    file: '#!/usr/bin/env node\nthrow new TypeError("no such engine");\n',
    fault: /ended before its handshake: "TypeError: no such engine"/,
  },
  { says: 'it ends without a word', program: 'exit 0', fault: /ended before its handshake/ },
  { says: 'it kills itself', program: 'kill -9 $$', fault: /ended before its handshake/ },
  { says: 'it says nothing', program: 'exec sleep 1000', fault: /no handshake within/ },
  {
    says: 'it says half a line',
    program: 'printf "1|2|unix|$SOCKET|grpc|"; exec sleep 1000',
    fault: /no handshake within/,
  },
  {
    says: 'its first line does not end',
    program: 'head -c 300000 /dev/zero | tr "\\\\0" x; exec sleep 1000',
    fault: /too few fields/,
  },
  {
    says: 'it prints rubbish',
    program: 'printf "\\\\001\\\\377|\\\\n\\\\n||||\\\\n"; exec sleep 1000',
    fault: /no handshake/,
  },
  { says: 'it ends after its handshake', program: 'echo "1|2|unix|$SOCKET|grpc|"; exit 0', fault: /the plugin ended/ },
  { says: 'its interpreter is not there', file: '#!/no/such/interpreter\n', fault: /cannot be started/ },
  {
    says: 'it is a stray text file',
    file: 'Dear reader,\nthis is no program.\n',
    fault: /cannot be started|ended before/,
  },
  {
    says: 'it is another program than the pinned one',
    block: { checksum: `sha256:${'0'.repeat(64)}` },
    fault: /pins sha256:0000/,
  },
  { says: 'it has no certificate where one is asked for', block: { auto_mtls: true }, fault: /without a certificate/ },
  {
    says: 'its certificate is rubbish',
    block: { auto_mtls: true },
    program: `echo "1|2|unix|$SOCKET|grpc|${long(200)}"; exec sleep 1000`,
    fault: /PluginInfo|certificate/i,
  },
];

const introductions: readonly Lie[] = [
  { says: 'it does not say who it is', calls: { pluginInfo: 'hangs' }, fault: /PluginInfo/ },
  {
    says: 'it refuses to say who it is',
    calls: { pluginInfo: driverError },
    fault: /PluginInfo: the engine is on fire/,
  },
  { says: 'what it says it is cannot be read', calls: { pluginInfo: rubbish }, fault: /PluginInfo/ },
  { says: 'it dies when asked who it is', calls: { pluginInfo: 'dies' }, fault: /ended while it was asked/ },
  { says: 'it has no name', calls: { pluginInfo: info({ name: '' }) }, fault: /has no name/ },
  { says: 'its name is a path', calls: { pluginInfo: info({ name: '../../etc/passwd' }) }, fault: /name.*is none/ },
  { says: 'its name is endless', calls: { pluginInfo: info({ name: long(1_000_000) }) }, fault: /name.*is none/ },
  { says: 'it has no version', calls: { pluginInfo: info({ pluginVersion: '' }) }, fault: /version "" is none/ },
  { says: 'its version is none', calls: { pluginInfo: info({ pluginVersion: 'newest' }) }, fault: /version "newest"/ },
  { says: 'it speaks no interface', calls: { pluginInfo: info({ pluginApiVersions: [] }) }, fault: /versions none/ },
  {
    says: 'it speaks another interface',
    calls: { pluginInfo: info({ pluginApiVersions: ['v9.0.0'] }) },
    fault: /v9\.0\.0/,
  },
  { says: 'it is no driver', calls: { pluginInfo: info({ type: 7 as never }) }, fault: /no driver plugin/ },
  {
    says: 'it answers with 80 MB',
    calls: { pluginInfo: { bytes: Buffer.alloc(80_000_000) } },
    fault: /PluginInfo.*larger/,
  },
  { says: 'its options cannot be read', calls: { configSchema: rubbish }, fault: /ConfigSchema/ },
  {
    says: 'a literal of its options is broken',
    calls: { configSchema: configSchema(spec({ case: 'literal', value: { value: '${' } } as never)) },
    fault: /specification is wrong/,
  },
  {
    says: 'its options are 200 levels deep',
    calls: { configSchema: configSchema(deep(200)) },
    fault: /recursion depth/,
  },
  {
    says: 'it wants an option that nobody set',
    calls: { configSchema: configSchema(attribute('string', true)) },
    fault: /"x" is required/,
  },
  { says: 'it refuses its options', calls: { setConfig: driverError }, fault: /SetConfig: the engine is on fire/ },
  { says: 'it hangs over its options', calls: { setConfig: 'hangs' }, fault: /SetConfig/ },
  { says: 'it dies over its options', calls: { setConfig: 'dies' }, fault: /ended while it was asked/ },
  {
    says: 'it has no options of tasks',
    calls: { taskConfigSchema: { status: status.UNIMPLEMENTED, details: 'no' } },
    fault: /TaskConfigSchema/,
  },
  {
    says: 'a type of its options is none',
    calls: { taskConfigSchema: taskSchema(attribute('lost(')) },
    fault: /specification is wrong/,
  },
  {
    says: 'it does not say what it can',
    calls: { capabilities: driverError },
    fault: /Capabilities: the engine is on fire/,
  },
];

const endless = 20_000_000;

const floods: readonly Lie[] = [
  {
    says: 'it writes 200 MB of log',
    program: 'echo "1|2|unix|$SOCKET|grpc|"; yes "[ERROR] again and again" | head -c 200000000 >&2; exec sleep 1000',
    fault: /its log: more than anybody reads/,
  },
  {
    says: 'it writes 200 MB without an end of line',
    program: 'echo "1|2|unix|$SOCKET|grpc|"; head -c 200000000 /dev/zero >&2; exec sleep 1000',
    fault: /its log: more than anybody reads/,
  },
  {
    says: 'it writes log and says nothing else',
    program: 'exec yes "[ERROR] no" >&2',
    fault: /more than 67108864 bytes before its handshake/,
  },
  {
    says: 'its options are 1 MB of specification',
    calls: { taskConfigSchema: taskSchema(attribute(long(1_000_000))) },
    fault: /the specification has 1\d{6} bytes/,
  },
  {
    says: 'the error of a start is 20 MB',
    task: 'start',
    calls: { startTask: started({ result: 2, driverErrorMsg: long(endless) }) },
    fault: /StartTask: a text of 20000000 characters/,
  },
  {
    says: 'the status of a start is 1 MB',
    task: 'start',
    calls: { startTask: { status: status.UNKNOWN, details: long(1_000_000) } },
    fault: /StartTask/,
  },
  {
    says: 'the error of an end is 20 MB',
    task: 'start',
    calls: { waitTask: message(create(wire.WaitTaskResponseSchema, { result: {}, err: long(endless) })) },
    fault: /WaitTask: a text of 20000000 characters/,
  },
  {
    says: 'an event of a task is 20 MB',
    streams: {
      taskEvents: {
        messages: [
          message(
            create(wire.DriverTaskEventSchema, {
              taskId: 'a/b/c',
              message: long(endless),
              annotations: { [long(endless)]: long(endless) },
            }),
          ),
        ],
        end: false,
      },
    },
    fault: /TaskEvents: a text of 20000000 characters/,
  },
  {
    says: 'a task has 100,000 ports',
    task: 'start',
    calls: {
      startTask: started({
        networkOverride: {
          portMap: Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`p${at}`, 80])),
          addr: '',
          autoAdvertise: false,
        },
      }),
    },
    fault: /a port or an address/,
  },
];

const reports: readonly Lie[] = [
  {
    says: 'it never reports',
    streams: { fingerprint: { messages: [], end: false } },
    fault: /Fingerprint: no message within/,
  },
  {
    says: 'its reports end before the first',
    streams: { fingerprint: { messages: [], end: true } },
    fault: /without a report/,
  },
  {
    says: 'its reports end after the first',
    streams: { fingerprint: { messages: [report({})], end: true } },
    fault: /Fingerprint: the stream ended/,
  },
  { says: 'it cannot report', streams: { fingerprint: { messages: [rubbish], end: true } }, fault: /Fingerprint/ },
  {
    says: 'it is in no state',
    streams: { fingerprint: { messages: [report({ health: 42 as never })], end: false } },
    fault: /health 42 is none/,
  },
  {
    says: 'it has 2,000 attributes',
    streams: { fingerprint: { messages: [report({ attributes: many as never })], end: false } },
    fault: /1488 attributes/,
  },
  {
    says: 'an attribute is a megabyte',
    streams: {
      fingerprint: {
        messages: [report({ attributes: { big: { value: { case: 'stringVal', value: long(1_000_000) } } } as never })],
        end: false,
      },
    },
    fault: /1 attributes/,
  },
  {
    says: 'it dies over its report',
    streams: { fingerprint: { messages: [report({}), 'dies'], end: false } },
    fault: /its process ended by itself/,
  },
  {
    says: 'it floods the events of tasks',
    streams: {
      taskEvents: {
        messages: Array.from({ length: 5000 }, () =>
          message(create(wire.DriverTaskEventSchema, { taskId: 'a/b/c', message: 'again' })),
        ),
        end: false,
      },
    },
    fault: /TaskEvents: more than 100/,
  },
  {
    says: 'its events cannot be read',
    streams: { taskEvents: { messages: [rubbish], end: false } },
    fault: /TaskEvents/,
  },
];

const tasks: readonly Lie[] = [
  {
    says: 'a start has no handle',
    task: 'start',
    calls: { startTask: message(create(wire.StartTaskResponseSchema)) },
    fault: /StartTask: the answer has no task handle/,
  },
  { says: 'a start cannot be read', task: 'start', calls: { startTask: rubbish }, fault: /StartTask/ },
  { says: 'a start never ends', task: 'start', calls: { startTask: 'hangs' }, fault: /StartTask: no answer in time/ },
  {
    says: 'it dies over a start',
    task: 'start',
    calls: { startTask: 'dies' },
    fault: /its process ended by itself/,
  },
  {
    says: 'the state of a task is 2 MB',
    task: 'start',
    calls: { startTask: started({ handle: { version: 1, driverState: Buffer.alloc(2_000_000) } }) },
    fault: /2000000 bytes/,
  },
  {
    says: 'a port of a task is none',
    task: 'start',
    calls: { startTask: started({ networkOverride: { portMap: { a: 99_999 }, addr: '', autoAdvertise: false } }) },
    fault: /a port or an address/,
  },
  {
    says: 'the address of a task is none',
    task: 'start',
    calls: { startTask: started({ networkOverride: { portMap: {}, addr: '$(reboot)', autoAdvertise: false } }) },
    fault: /a port or an address/,
  },
  {
    says: 'an end has no result',
    task: 'start',
    calls: { waitTask: message(create(wire.WaitTaskResponseSchema)) },
    fault: /WaitTask: the answer has no result/,
  },
  {
    says: 'an end is the answer of another call',
    task: 'start',
    calls: { waitTask: { bytes: Buffer.from('0a02ffff', 'hex') } },
    fault: /WaitTask/,
  },
  {
    says: 'it does not know a task that it took',
    task: 'start',
    calls: { waitTask: { status: status.UNKNOWN, details: 'task not found for given id' } },
    fault: /WaitTask: it does not know a task that it took/,
  },
  {
    says: 'it dies while it is waited for',
    task: 'start',
    calls: { waitTask: 'dies' },
    fault: /its process ended by itself/,
  },
  {
    says: 'a task cannot be freed',
    task: 'stop',
    calls: { waitTask: message(create(wire.WaitTaskResponseSchema, { result: {} })), destroyTask: 'hangs' },
    fault: /DestroyTask: no answer in time/,
  },
  { says: 'the answer to a stop cannot be read', task: 'stop', calls: { stopTask: rubbish }, fault: /StopTask/ },
  {
    says: 'samples end before the first',
    task: 'stats',
    streams: { taskStats: { messages: [], end: true } },
    fault: /TaskStats: the stream ended without a sample/,
  },
  {
    says: 'a sample never comes',
    task: 'stats',
    streams: { taskStats: { messages: [], end: false } },
    fault: /TaskStats: no message within/,
  },
  {
    says: 'a signal is never taken',
    task: 'signal',
    calls: { signalTask: 'hangs' },
    fault: /SignalTask: no answer in time/,
  },
  {
    says: 'output of a command cannot be read',
    task: 'exec',
    streams: { execTaskStreaming: { messages: [rubbish], end: true } },
    fault: /ExecTaskStreaming/,
  },
];

/** Their plugins are called `evil-<place in the list>`. */
export const lies: readonly Lie[] = [...handshakes, ...introductions, ...floods, ...reports, ...tasks];
