/** Generated service descriptions on grpc-js: the one place where messages become bytes. */
import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type {
  Client,
  ClientDuplexStream,
  ClientReadableStream,
  Metadata,
  MethodDefinition,
  ServiceDefinition,
} from '@grpc/grpc-js';
import { abortable } from '../lib/abortable.ts';

/** A plugin answers or is gone: nothing is asked twice, and nobody looks at the channel's own statistics. Both cost each call some tenths of a millisecond. */
const lean = { 'grpc.enable_retries': 0, 'grpc.enable_channelz': 0 } as const;

/** What a plugin serves: messages may be of any size; grpc-js would refuse more than 4 MB. */
export const channelOptions = {
  ...lean,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
} as const;

/**
 * What a host takes from a plugin that it does not trust with all of its memory. A connection on which one frame broke HTTP/2 is read no
 * more, and Node tells nobody: only a ping finds out. Servers in Go take one in five minutes, and close the connection over more.
 */
export const receivingOptions = {
  ...lean,
  'grpc.keepalive_time_ms': 310_000,
  'grpc.keepalive_timeout_ms': 30_000,
  // one that was closed and cannot say so ends too
  'grpc.keepalive_permit_without_calls': 1,
  // whoever wants one more connection gets it
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
} as const;

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function serializer(schema: DescMessage): (message: unknown) => Buffer {
  return (message) => Buffer.from(toBinary(schema, message as MessageShape<typeof schema>));
}

function deserializer(schema: DescMessage): (bytes: Buffer) => unknown {
  return (bytes) => fromBinary(schema, bytes);
}

/** For `Server.addService`: keys are the methods' local names (`startTask`). */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const entries = service.methods.map((method): [string, MethodDefinition<unknown, unknown>] => [
    method.localName,
    {
      path: pathOf(method),
      requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: serializer(method.input),
      requestDeserialize: deserializer(method.input),
      responseSerialize: serializer(method.output),
      responseDeserialize: deserializer(method.output),
    },
  ]);
  return Object.fromEntries(entries);
}

type Typed<I extends DescMessage, O extends DescMessage> = DescMethod & { readonly input: I; readonly output: O };

/** Aborting cancels the call; the promise then rejects with the signal's reason. */
export async function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: Typed<I, O>,
  request: MessageShape<I>,
  signal: AbortSignal,
  metadata: Metadata,
  deadline?: Date,
): Promise<MessageShape<O>> {
  signal.throwIfAborted();
  let cancel = (): void => {};
  const answered = new Promise<unknown>((resolve, reject) => {
    const call = client.makeUnaryRequest(
      pathOf(method),
      serializer(method.input),
      deserializer(method.output),
      request as unknown,
      metadata,
      deadline === undefined ? {} : { deadline },
      (error, answer) => (error === null ? resolve(answer) : reject(error)),
    );
    cancel = () => call.cancel();
  });
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return (await abortable(answered, signal)) as MessageShape<O>;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** One request, many answers. The abort cancels the call; a status that is no success rejects. */
export function serverStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: Typed<I, O>,
  request: MessageShape<I>,
  signal: AbortSignal,
): AsyncIterable<MessageShape<O>> {
  const call = client.makeServerStreamRequest(
    pathOf(method),
    serializer(method.input),
    deserializer(method.output),
    request as unknown,
  );
  const cancel = (): void => call.cancel();
  // its reader may have gone before it was asked for
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  return received<MessageShape<O>>(call, () => signal.removeEventListener('abort', cancel));
}

async function* received<T>(call: ClientReadableStream<unknown>, done: () => void): AsyncGenerator<T> {
  try {
    for await (const message of call) yield message as T;
  } finally {
    done();
    call.cancel();
  }
}

export type Bidi<M extends DescMethod> = ClientDuplexStream<MessageShape<M['input']>, MessageShape<M['output']>>;

/** Both sides write when they want; the caller ends its own. */
export function bidiStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: Typed<I, O>,
): Bidi<Typed<I, O>> {
  return client.makeBidiStreamRequest(pathOf(method), serializer(method.input), deserializer(method.output)) as Bidi<
    Typed<I, O>
  >;
}
