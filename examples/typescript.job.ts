// The job of hello.nomad.hcl in TypeScript: drover job run examples/typescript.job.ts
import { job } from 'drover/job';

const greeting = ['Hello', 'from TypeScript'].join(' ');

export default job('typescript', {
  type: 'batch',
  group: {
    hello: {
      task: {
        hello: {
          driver: 'raw_exec',
          config: { command: '/bin/sh', args: ['-c', `echo "${greeting}, allocation $NOMAD_ALLOC_ID"`] },
          resources: { cpu: 50, memory: 32 },
        },
      },
    },
  },
});
