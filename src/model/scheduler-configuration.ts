import { bool, type Infer, int, noun, object, string } from './schema.ts';

export const PreemptionConfig = noun('PreemptionConfig', {
  SystemSchedulerEnabled: bool(),
  SysBatchSchedulerEnabled: bool(),
  BatchSchedulerEnabled: bool(),
  ServiceSchedulerEnabled: bool(),
});
export type PreemptionConfig = Infer<typeof PreemptionConfig>;

export const SchedulerConfiguration = noun('SchedulerConfiguration', {
  SchedulerAlgorithm: string(),
  PreemptionConfig: object(PreemptionConfig),
  MemoryOversubscriptionEnabled: bool(),
  RejectJobRegistration: bool(),
  PauseEvalBroker: bool(),
  NodeLimitForFeasibilityChecks: int(),
  CreateIndex: int(),
  ModifyIndex: int(),
});
export type SchedulerConfiguration = Infer<typeof SchedulerConfiguration>;
