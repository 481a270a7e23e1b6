import { expect, test } from 'vitest';
import { dividing } from './disk-weights.ts';
import { limitFiles, sameLimit } from './limits.ts';

test('a weight goes to the files that a disk heeds, and nowhere else', () => {
  const [plain, fair] = ['[mq-deadline] none', 'none [bfq]'];
  const costs = '254:0 enable=1 ctrl=auto rpct=0.00\n';
  expect(dividing(2, [plain, fair], '')).toEqual(['io.bfq.weight']);
  expect(dividing(2, [plain], costs)).toEqual(['io.weight']);
  expect(dividing(2, [fair], costs)).toEqual(['io.bfq.weight', 'io.weight']);
  expect(dividing(2, [plain, ''], '254:0 enable=0 ctrl=auto\n')).toEqual([]);
  expect(dividing(1, [plain, fair], costs)).toEqual(['blkio.bfq.weight']);
  expect(dividing(1, ['noop deadline [cfq]'], '')).toEqual(['blkio.weight']);
  expect(dividing(1, [plain], costs)).toEqual([]);
});

test('each file has a scale of its own, and is read back', () => {
  const limits = (ioWeight: number) => ({
    ...{ memoryBytes: null, memoryLowBytes: null, cpuShares: 100, pids: null, cpusetCpus: '' },
    ioWeight,
    ioWeightFiles: ['io.bfq.weight', 'io.weight', 'blkio.bfq.weight', 'blkio.weight'],
  });
  const written = (weight: number) =>
    limitFiles(limits(weight), 2)
      .filter(({ controller }) => controller === 'io')
      .map(({ file, value }) => `${file} ${value}`);
  expect(written(100)).toEqual(['io.bfq.weight 100', 'io.weight 100', 'blkio.bfq.weight 100', 'blkio.weight 500']);
  expect(written(3000)).toEqual(['io.bfq.weight 1000', 'io.weight 3000', 'blkio.bfq.weight 1000', 'blkio.weight 1000']);
  expect(sameLimit('io.bfq.weight', 'default 300', '300')).toBe(true);
  expect(sameLimit('io.bfq.weight', 'default 100', '300')).toBe(false);
  expect(sameLimit('blkio.bfq.weight', '300', '300')).toBe(true);
});
