import { Resources } from './resources.ts';
import { duration, float, type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';

export const NodeScoreMeta = noun('NodeScoreMeta', {
  NodeID: string(),
  Scores: nullable(map(float())),
  NormScore: float(),
});
export type NodeScoreMeta = Infer<typeof NodeScoreMeta>;

export const AllocationMetric = noun('AllocationMetric', {
  NodesEvaluated: int(),
  NodesFiltered: int(),
  NodesInPool: int(),
  NodePool: string(),
  NodesAvailable: nullable(map(int())),
  ClassFiltered: nullable(map(int())),
  ConstraintFiltered: nullable(map(int())),
  NodesExhausted: int(),
  ClassExhausted: nullable(map(int())),
  DimensionExhausted: nullable(map(int())),
  QuotaExhausted: nullable(list(string())),
  ResourcesExhausted: nullable(map(object(Resources))),
  Scores: nullable(map(float())),
  AllocationTime: duration(),
  CoalescedFailures: int(),
  ScoreMetaData: nullable(list(object(NodeScoreMeta))),
});
export type AllocationMetric = Infer<typeof AllocationMetric>;
