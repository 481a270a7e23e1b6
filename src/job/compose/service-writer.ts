import { dockerConfig, dockerKeys } from './docker-config.ts';
import { Expression, type HclWriter, quoted } from './hcl-writer.ts';
import { healthCheck } from './health-check.ts';
import {
  asText,
  bytesOf,
  durationOf,
  isYamlMap,
  numberOf,
  pairs,
  textList,
  type Yaml,
  type YamlMap,
} from './read-compose.ts';
import { type ComposeFile, type EnvironmentFile, environmentFilesOf, filesOf } from './service-files.ts';
import { type ComposePort, portsOf } from './service-ports.ts';
import { type ComposeMount, mountsOf } from './service-volumes.ts';

const megabyte = 1024 * 1024;
/** What one CPU of a Compose file counts in a job, in MHz. */
const cpuMhz = 1000;

const reasons: { readonly [key: string]: string } = {
  build: 'images are built and pushed before; the job names the image',
  container_name: 'containers are named after their allocation',
  networks: 'groups reach each other through services, not through named networks',
  links: 'groups reach each other through services',
  profiles: 'a job has no profiles',
  extends: 'the service it extends has to be written out',
  scale: 'use deploy.replicas',
  platform: 'use a constraint on ${attr.cpu.arch}',
};
const taken = new Set([
  ...dockerKeys,
  ...'environment env_file ports expose volumes tmpfs depends_on restart deploy healthcheck user stop_grace_period stop_signal dns dns_search network_mode mem_limit mem_reservation cpus secrets configs'.split(
    ' ',
  ),
]);

/** What of a service is read before any of it is written. */
interface Prepared {
  readonly ports: readonly ComposePort[];
  readonly mounts: readonly ComposeMount[];
  readonly files: readonly ComposeFile[];
  readonly environmentFiles: readonly EnvironmentFile[];
}

/** Writes one service as a group with a task, and collects what could not be said. */
export class ServiceWriter {
  readonly notes: string[] = [];
  readonly #out: HclWriter;
  readonly #name: string;
  readonly #service: YamlMap;
  readonly #deploy: YamlMap;
  readonly #top: YamlMap;

  constructor(out: HclWriter, name: string, service: YamlMap, top: YamlMap) {
    this.#out = out;
    this.#name = name;
    this.#service = service;
    this.#top = top;
    const deploy = service['deploy'];
    this.#deploy = isYamlMap(deploy) ? deploy : {};
  }

  write(): void {
    const prepared = this.#prepare();
    const { ports, mounts } = prepared;
    const out = this.#out;
    out.block(`group ${quoted(this.#name)}`, () => {
      for (const note of this.notes) out.comment(`compose: ${note}`);
      out.attribute('count', numberOf(this.#deploy['replicas']));
      this.#network(ports);
      for (const { source, readOnly } of named(mounts))
        out.block(`volume ${quoted(source)}`, () => {
          out.attribute('type', 'host');
          out.attribute('source', source);
          out.attribute('read_only', readOnly || undefined);
        });
      this.#update();
      this.#restart();
      this.#registration(ports);
      out.block(`task ${quoted(this.#name)}`, () => this.#task(prepared));
    });
  }

  /** Everything that may give a note is read first: the notes stand at the head of the group. */
  #prepare(): Prepared {
    const note = (key: string, reason: string): void => void this.notes.push(`${this.#name}.${key}: ${reason}`);
    for (const key of Object.keys(this.#service))
      if (!taken.has(key)) note(key, reasons[key] ?? 'has no like in a job');
    for (const [key, value] of pairs(this.#service['environment']))
      if (value === undefined) note(`environment.${key}`, 'its value was taken from the shell; give it one');
    for (const other of dependencies(this.#service['depends_on']))
      note(
        'depends_on',
        `groups have no order among each other: ${this.#name} has to wait for ${other} by itself, or be a task of its group`,
      );
    const ports = portsOf(this.#service, note);
    const check = healthCheck(this.#service['healthcheck']);
    if (check.check !== undefined && ports.length === 0) note('healthcheck', 'there is no port that a check could ask');
    else if (check.note !== undefined) note('healthcheck', check.note);
    const waiting = ports.length === 0 ? this.#dependents() : [];
    if (waiting.length > 0)
      note('ports', `${waiting.join(', ')} cannot reach it: give its group the port it listens on, and a service`);
    for (const [key, value] of Object.entries(this.#deploy)) deployNotes(key, value, note);
    if (this.#service['image'] === undefined && this.#service['build'] === undefined) note('image', 'there is none');
    if (this.#service['pull_policy'] !== undefined && this.#service['pull_policy'] !== 'always')
      note('pull_policy', 'images are pulled where they are missing');
    const mode = asText(this.#service['network_mode']);
    if (mode !== '' && mode !== 'host' && mode !== 'none' && mode !== 'bridge')
      note('network_mode', `${JSON.stringify(mode)}: the tasks of one group share a network, those of two groups none`);
    const files = filesOf(this.#service, this.#top, note);
    const mounts = [...mountsOf(this.#service, note), ...files.map(mountOf)];
    return { ports, mounts, files, environmentFiles: environmentFilesOf(this.#service, note) };
  }

  /** Services that say that they depend on this one. */
  #dependents(): string[] {
    const services = isYamlMap(this.#top['services']) ? this.#top['services'] : {};
    return Object.entries(services).flatMap(([name, service]) =>
      isYamlMap(service) && [...dependencies(service['depends_on'])].includes(this.#name) ? [name] : [],
    );
  }

  #network(ports: readonly ComposePort[]): void {
    const out = this.#out;
    const mode = asText(this.#service['network_mode']);
    const [servers, searches] = [textList(this.#service['dns']), textList(this.#service['dns_search'])];
    out.block('network', () => {
      if (mode === 'host' || mode === 'none') out.attribute('mode', mode);
      for (const { label, fixed, to } of ports)
        out.block(`port ${quoted(label)}`, () => {
          out.attribute('static', fixed);
          if (fixed !== to) out.attribute('to', to);
        });
      out.block('dns', () => {
        if (servers.length > 0) out.attribute('servers', servers);
        if (searches.length > 0) out.attribute('searches', searches);
      });
    });
  }

  /** One service per group, under the name that others used: with the first port. */
  #registration(ports: readonly ComposePort[]): void {
    const out = this.#out;
    const first = ports[0];
    if (first === undefined) return;
    const { check } = healthCheck(this.#service['healthcheck']);
    out.block('service', () => {
      out.attribute('name', this.#name.toLowerCase().replace(/[^a-z0-9-]+/g, '-'));
      out.attribute('port', ports.find(({ to }) => to === check?.port)?.label ?? first.label);
      out.attribute('provider', 'nomad');
      if (check === undefined) return;
      out.block('check', () => {
        out.attribute('type', check.path === undefined ? 'tcp' : 'http');
        out.attribute('path', check.path);
        out.attribute('interval', check.interval);
        out.attribute('timeout', check.timeout);
      });
    });
  }

  #update(): void {
    const update = this.#deploy['update_config'];
    if (!isYamlMap(update)) return;
    this.#out.block('update', () => {
      this.#out.attribute('max_parallel', numberOf(update['parallelism']));
      if (update['failure_action'] === 'rollback') this.#out.attribute('auto_revert', true);
      this.#out.attribute('min_healthy_time', durationOf(update['monitor']));
    });
  }

  #restart(): void {
    const policy = this.#deploy['restart_policy'];
    const [condition = '', most] = isYamlMap(policy)
      ? [asText(policy['condition']), asText(policy['max_attempts'])]
      : asText(this.#service['restart']).split(':');
    const delay = isYamlMap(policy) ? durationOf(policy['delay']) : undefined;
    const interval = isYamlMap(policy) ? durationOf(policy['window']) : undefined;
    this.#out.block('restart', () => {
      if (condition === 'no' || condition === 'none' || condition === 'false') {
        this.#out.attribute('attempts', 0);
        this.#out.attribute('mode', 'fail');
        return;
      }
      if (most) {
        this.#out.attribute('attempts', Number(most) || 0);
        this.#out.attribute('mode', 'fail');
      } else if (condition !== '') this.#out.attribute('mode', 'delay');
      this.#out.attribute('delay', delay);
      this.#out.attribute('interval', interval);
    });
  }

  #task(prepared: Prepared): void {
    const { ports, mounts } = prepared;
    const out = this.#out;
    const service = this.#service;
    const image = asText(service['image']) || `${this.#name}:latest`;
    out.attribute('driver', 'docker');
    if (service['user'] !== undefined) out.attribute('user', asText(service['user']));
    out.attribute('kill_timeout', durationOf(service['stop_grace_period']));
    if (service['stop_signal'] !== undefined) out.attribute('kill_signal', asText(service['stop_signal']));
    out.block('config', () => {
      for (const [name, value] of dockerConfig(service, image, ports, mounts)) out.attribute(name, value);
    });
    out.map(
      'env',
      pairs(service['environment']).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
    );
    this.#templates(prepared);
    for (const { source, target, readOnly } of named(mounts))
      out.block('volume_mount', () => {
        out.attribute('volume', source);
        out.attribute('destination', target);
        out.attribute('read_only', readOnly || undefined);
      });
    this.#resources();
  }

  #templates({ files, environmentFiles }: Prepared): void {
    const out = this.#out;
    const file = (path: string): Expression => new Expression(`file(${quoted(path)})`);
    for (const [index, { path }] of environmentFiles.entries())
      out.block('template', () => {
        out.attribute('data', file(path));
        out.attribute('destination', `secrets/env-${index + 1}`);
        out.attribute('env', true);
      });
    for (const { content, destination, perms } of files)
      out.block('template', () => {
        out.attribute('data', 'path' in content ? file(content.path) : content.text);
        out.attribute('destination', destination);
        out.attribute('perms', perms);
      });
  }

  #resources(): void {
    const resources = isYamlMap(this.#deploy['resources']) ? this.#deploy['resources'] : {};
    const limit = isYamlMap(resources['limits']) ? resources['limits'] : {};
    const reserved = isYamlMap(resources['reservations']) ? resources['reservations'] : {};
    const most = bytesOf(limit['memory'] ?? this.#service['mem_limit']);
    const least = bytesOf(reserved['memory'] ?? this.#service['mem_reservation']);
    const cpus = Number(asText(reserved['cpus'] ?? limit['cpus'] ?? this.#service['cpus']));
    this.#out.block('resources', () => {
      if (cpus > 0) {
        this.#out.comment(`one CPU counted as ${cpuMhz} MHz`);
        this.#out.attribute('cpu', Math.max(1, Math.round(cpus * cpuMhz)));
      }
      const memory = least ?? most;
      if (memory !== undefined) this.#out.attribute('memory', Math.max(10, Math.ceil(memory / megabyte)));
      if (least !== undefined && most !== undefined && most > least)
        this.#out.attribute('memory_max', Math.ceil(most / megabyte));
    });
  }
}

/** A file of the task's directory at the place where the container looks for it. */
const mountOf = ({ destination, target }: ComposeFile): ComposeMount => ({
  kind: 'bind',
  source: destination,
  target,
  readOnly: true,
});

/** Named volumes, each once. */
const named = (mounts: readonly ComposeMount[]): ComposeMount[] => mounts.filter((mount) => mount.kind === 'volume');

function dependencies(value: Yaml | undefined): string[] {
  return isYamlMap(value) ? Object.keys(value) : textList(value);
}

const takenOfDeploy: { readonly [key: string]: readonly string[] } = {
  resources: ['limits', 'reservations'],
  update_config: ['parallelism', 'failure_action', 'monitor'],
  restart_policy: ['condition', 'delay', 'max_attempts', 'window'],
};

function deployNotes(key: string, value: Yaml, note: (key: string, reason: string) => void): void {
  if (key === 'replicas') return;
  if (key === 'mode' && value === 'replicated') return;
  const known = takenOfDeploy[key];
  if (known === undefined) {
    note(`deploy.${key}`, key === 'mode' ? 'one on every node is a job of the type "system"' : 'has no like in a job');
    return;
  }
  if (!isYamlMap(value)) return;
  for (const inner of Object.keys(value))
    if (!known.includes(inner)) note(`deploy.${key}.${inner}`, 'has no like in a job');
  if (key === 'resources') resourceNotes(value, note);
}

function resourceNotes(resources: YamlMap, note: (key: string, reason: string) => void): void {
  for (const kind of ['limits', 'reservations'] as const) {
    const given = resources[kind];
    for (const key of isYamlMap(given) ? Object.keys(given) : [])
      if (key === 'devices') note(`deploy.resources.${kind}.devices`, 'use a device block of the resources');
      else if (!['cpus', 'memory', ...(kind === 'limits' ? ['pids'] : [])].includes(key))
        note(`deploy.resources.${kind}.${key}`, 'has no like in a job');
  }
  const { limits, reservations } = resources;
  if (isYamlMap(limits) && isYamlMap(reservations) && limits['cpus'] && reservations['cpus'])
    note('deploy.resources.limits.cpus', 'what is reserved is what counts; more is used where it is free');
}
