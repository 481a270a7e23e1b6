/** What a driver would refuse, as a service of our own beside the protocol's. */
import { create } from '@bufbuild/protobuf';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type RehearseRequest, RehearseResponseSchema } from '../../driver/gen/drover/rehearsals_pb.ts';
import { Fault } from '../../lib/fault.ts';
import { type Served, taskOf, unaryHandler } from './driver-service.ts';

export function rehearsalService({ plugin, driver }: Served): UntypedServiceImplementation {
  return {
    rehearse: unaryHandler(async ({ task, filesCome }: RehearseRequest, signal) => {
      const engine = driver();
      if (engine.rehearse === undefined) throw new Fault('unsupported', 'this driver does not tell before a start');
      const refusals = await engine.rehearse({ ...taskOf(plugin, task), rehearsal: { filesCome } }, signal);
      return create(RehearseResponseSchema, { refusals: [...refusals] });
    }),
  } as UntypedServiceImplementation;
}
