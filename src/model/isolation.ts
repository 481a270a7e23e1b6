import { attr, type Infer, list, noun, nullable, string } from './schema.ts';

/** What a job, group or task demands: of several the highest counts. */
export const Isolation = noun('Isolation', {
  Min: string({ hcl: attr('min'), doc: 'The lowest rung: "process", "sandbox", "container", "shielded", "vm".' }),
  Require: nullable(
    list(string(), {
      hcl: attr('require'),
      emptyIsNull: true,
      doc: 'Lines that must be verified whatever the rung: ["seccomp", "pids"].',
    }),
  ),
  OnDegrade: string({
    hcl: attr('on_degrade'),
    doc: 'When a running task loses a line it had: "warn" (an event), "restart" or "stop". Default: "restart" for a line of this demand, "warn" for others.',
  }),
});
export type Isolation = Infer<typeof Isolation>;

/** A namespace's own demand. `Mode`: `enforce` – it counts like the job's; `warn` – said, not refused; `audit` – only recorded. */
export const NamespaceIsolation = noun('NamespaceIsolation', {
  Mode: string({ hcl: attr('mode'), fallback: 'enforce' }),
  Min: string({ hcl: attr('min') }),
  Require: nullable(list(string(), { hcl: attr('require'), emptyIsNull: true })),
  OnDegrade: string({ hcl: attr('on_degrade') }),
});
export type NamespaceIsolation = Infer<typeof NamespaceIsolation>;
