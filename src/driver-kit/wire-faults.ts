/**
 * Faults as gRPC statuses and back. A foreign host sees the text, and for starts whether to try again; our own also the kind, in a
 * trailer that others ignore.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { RecoverableErrorSchema } from '../driver/gen/nomad/structs_pb.ts';
import { StatusSchema } from '../driver/gen/plugin/status_pb.ts';
import { shortened } from '../driver/said-text.ts';
import { Fault, faultKinds, isFault, messageOf } from '../lib/fault.ts';

/** What Go hosts and plugins say and look for. */
const taskNotFound = 'task not found for given id';

const kindKey = 'drover-fault-kind';
const textKey = 'drover-fault-text-bin';
const detailsKey = 'grpc-status-details-bin';

export interface WireError {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

export function errorToWire(error: unknown): WireError {
  const metadata = new Metadata();
  // texts travel in headers, and no host takes those at any length
  const text = shortened(messageOf(error));
  const details = isFault(error, 'not_found') ? taskNotFound : text;
  if (isFault(error)) {
    metadata.set(kindKey, error.kind);
    if (details !== text) metadata.set(textKey, Buffer.from(text));
  }
  if (!isFault(error) || !error.recoverable) return { code: status.UNKNOWN, details, metadata };
  const detail = anyPack(RecoverableErrorSchema, create(RecoverableErrorSchema, { recoverable: true }));
  const full = create(StatusSchema, { code: status.FAILED_PRECONDITION, message: details, details: [detail] });
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, full)));
  return { code: status.FAILED_PRECONDITION, details, metadata };
}

export function errorFromWire(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('metadata' in error)) return error;
  const { code, details, metadata } = error as ServiceError;
  if (code === status.UNAVAILABLE)
    return new Fault('unavailable', 'plugin is shut down', { cause: error, recoverable: true });
  if (code === status.DEADLINE_EXCEEDED)
    return new Fault('unavailable', 'the plugin gave no answer in time', { cause: error, recoverable: true });
  if (code === status.UNIMPLEMENTED) return new Fault('unsupported', shortened(details), { cause: error });
  const said = metadata.get(kindKey)[0];
  const text = metadata.get(textKey)[0];
  const message = text instanceof Buffer ? text.toString() : details;
  const kind = faultKinds.find((each) => each === said) ?? (details.includes(taskNotFound) ? 'not_found' : 'invalid');
  return new Fault(kind, shortened(message), { cause: error, recoverable: isRecoverable(metadata) });
}

function isRecoverable(metadata: Metadata): boolean {
  const bytes = metadata.get(detailsKey)[0];
  if (!(bytes instanceof Buffer)) return false;
  try {
    const [first] = fromBinary(StatusSchema, bytes).details;
    return first !== undefined && anyUnpack(first, RecoverableErrorSchema)?.recoverable === true;
  } catch {
    return false;
  }
}
