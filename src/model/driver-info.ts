import { bool, type Infer, map, noun, nullable, string, time } from './schema.ts';

export const DriverInfo = noun('DriverInfo', {
  Attributes: nullable(map(string())),
  Detected: bool(),
  Healthy: bool(),
  HealthDescription: string(),
  UpdateTime: time(),
});
export type DriverInfo = Infer<typeof DriverInfo>;
