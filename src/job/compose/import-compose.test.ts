import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { format, formatDiagnostic } from '../../hcl/index.ts';
import { parseJob } from '../../jobspec/index.ts';
import { Fault } from '../../lib/fault.ts';
import { importCompose } from './import-compose.ts';

const options = { filename: 'compose.yaml', name: 'shop' };
const files = {
  workingDirectory: '/',
  home: () => '/',
  kind: () => 'file' as const,
  list: () => [],
  read: () => new TextEncoder().encode('A=1'),
};

function imported(text: string) {
  const { hcl, notes } = importCompose(text, options);
  const { job, diagnostics } = parseJob({ source: hcl, filename: 'shop.nomad.hcl', host: { files } });
  expect(diagnostics.map(formatDiagnostic), hcl).toEqual([]);
  expect(format(hcl)).toBe(hcl);
  for (const note of notes) expect(hcl).toContain(`# compose: ${note}`);
  const groups = new Map(job!.TaskGroups!.map((group) => [group!.Name!, group!]));
  return { hcl, notes, job: job!, groups, task: (name: string) => groups.get(name)!.Tasks![0]! };
}

const shop = `
name: shop
version: "3.8"
x-common: &common
  restart: unless-stopped
  logging:
    driver: json-file
    options:
      max-size: "10m"
services:
  web:
    <<: *common
    image: "nginx:\${TAG:-1.27}"
    container_name: shop-web
    command: nginx -g 'daemon off;'
    ports:
      - "8080:80"
      - "127.0.0.1:8443:443/tcp"
      - target: 53
        published: 5353
        protocol: udp
    environment:
      - MODE=fast
      - HOME_PAGE=$\${HOME}
      - FROM_SHELL
    env_file: web.env
    volumes:
      - ./html:/usr/share/nginx/html:ro
      - cache:/var/cache/nginx
      - type: tmpfs
        target: /tmp
    depends_on:
      db:
        condition: service_healthy
    networks: [front]
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:80/health"]
      interval: 1m30s
      timeout: 10s
      retries: 3
    labels:
      com.example.role: front
    deploy:
      replicas: 3
      update_config: { parallelism: 2, failure_action: rollback, order: start-first }
      resources:
        limits: { cpus: "0.50", memory: 512M }
        reservations: { memory: 128M }
      placement:
        constraints: [node.role == worker]
  db:
    image: postgres:16
    build: ./db
    user: "999:999"
    stop_grace_period: 1m
    stop_signal: SIGINT
    environment:
      POSTGRES_PASSWORD: \${PASSWORD:?set it}
      "with.dot": 5
    secrets: [token]
    healthcheck:
      test: pg_isready -U postgres
    expose: ["5432"]
    restart: on-failure:5
    cap_add: [SYS_NICE]
    ulimits:
      nofile: { soft: 1024, hard: 2048 }
    devices: ["/dev/fuse:/dev/fuse:rw"]
    shm_size: 64mb
    dns: 10.0.0.2
networks:
  front: {}
volumes:
  cache:
secrets:
  token:
    file: ./token.txt
`;

describe('a Compose file as a job', () => {
  it('has a group for each service', () => {
    const text = shop.replace('${PASSWORD:?set it}', 'geheim');
    const { job, groups, task } = imported(text);
    expect(job).toMatchObject({ ID: 'shop', Type: 'service' });
    const web = groups.get('web')!;
    expect(web).toMatchObject({
      Count: 3,
      Update: { MaxParallel: 2, AutoRevert: true },
      RestartPolicy: { Mode: 'delay' },
      Volumes: { cache: { Type: 'host', Source: 'cache' } },
      Services: [
        {
          Name: 'web',
          PortLabel: 'p80',
          Provider: 'nomad',
          Checks: [{ Type: 'http', Path: '/health', Interval: 90e9, Timeout: 10e9 }],
        },
      ],
    });
    expect(web.Networks![0]!.ReservedPorts).toMatchObject([
      { Label: 'p80', Value: 8080, To: 80 },
      { Label: 'p443', Value: 8443, To: 443 },
      { Label: 'p53', Value: 5353, To: 53 },
    ]);
    expect(task('web')).toMatchObject({
      Driver: 'docker',
      Env: { MODE: 'fast', HOME_PAGE: '${HOME}' },
      Templates: [{ EmbeddedTmpl: 'A=1', Envvars: true }],
      VolumeMounts: [{ Volume: 'cache', Destination: '/var/cache/nginx' }],
      Resources: { CPU: 500, MemoryMB: 128, MemoryMaxMB: 512 },
    });
    expect(task('web').Config).toMatchObject({
      image: 'nginx:1.27',
      command: 'nginx',
      args: ['-g', 'daemon off;'],
      ports: ['p80', 'p443', 'p53'],
      volumes: ['./html:/usr/share/nginx/html:ro'],
    });
    expect(task('db')).toMatchObject({
      User: '999:999',
      KillTimeout: 60e9,
      KillSignal: 'SIGINT',
      Env: { POSTGRES_PASSWORD: 'geheim', 'with.dot': '5' },
    });
    expect(task('db').Config).toMatchObject({ cap_add: ['SYS_NICE'], shm_size: 67108864, image: 'postgres:16' });
    expect(groups.get('db')).toMatchObject({
      RestartPolicy: { Attempts: 5, Mode: 'fail' },
      Networks: [{ DNS: { Servers: ['10.0.0.2'] } }],
    });
  });

  it('names every key that has no like in a job', () => {
    const { notes } = importCompose(shop, options);
    for (const key of [
      'version',
      'x-common',
      'networks',
      'volumes',
      'web.container_name',
      'web.networks',
      'web.depends_on',
      'web.environment.FROM_SHELL',
      'web.ports[1]',
      'web.ports[2]',
      'web.healthcheck',
      'web.deploy.placement',
      'web.deploy.update_config.order',
      'db.build',
      'db.healthcheck',
    ])
      expect(
        notes.some((note) => note.startsWith(`${key}: `)),
        key,
      ).toBe(true);
  });

  it('takes its variables over, those without a default too', () => {
    const { hcl } = importCompose(shop, options);
    expect(hcl).toContain('variable "TAG" {\n  type    = string\n  default = "1.27"\n}');
    expect(hcl).toContain('variable "PASSWORD" {\n  type = string\n}');
    const { job } = parseJob({
      source: hcl,
      filename: 'f',
      host: { files },
      variables: { flags: ['PASSWORD=x', 'TAG=2'] },
    });
    expect(job!.TaskGroups![0]!.Tasks![0]!.Config).toMatchObject({ image: 'nginx:2' });
  });

  it.each([
    ['one line', 'services: {a: {image: x}}'],
    ['no services to speak of', 'services: {a: }'],
    [
      'ports in ranges and numbers',
      'services:\n  a:\n    image: x\n    ports: ["3000-3002:4000-4002", 80, "9000", "[::1]:1:2", "x:y"]',
    ],
    [
      'texts with quotes and templates',
      'services:\n  a:\n    image: x\n    command: ["sh", "-c", "echo \\"%{ if } $${x} \\\\b\\" \\t"]',
    ],
    ['restart: no', 'services:\n  a:\n    image: x\n    restart: "no"'],
    [
      'variables in other forms',
      'services:\n  a:\n    image: "${A-}${B:+b}$C${D?no}"\n    environment: {E: "${F:-${G}}"}',
    ],
  ])('is read with %s', (_, text) => {
    importCompose(text, options);
    imported(text.replace('${D?no}', ''));
  });

  it.each([
    ['services: [', /^compose.yaml:\d+,\d+: ./],
    ['a: 1', /services/],
    ['- a', /is a map/],
    ['', /is a map/],
    ['services: *x', /^compose.yaml:\d+,\d+: ./],
  ])('%j is refused with a place', (text, message) => {
    expect(() => importCompose(text, options)).toThrow(message);
  });

  it('secrets and configs are where the container looks for them', () => {
    const { task } = imported(`
services:
  web:
    image: x
    secrets: [token, { source: key, target: api/key, mode: 0400 }]
    configs: [{ source: conf, target: /etc/app.conf }, plain]
secrets: { token: { file: ./token }, key: { file: ./key } }
configs: { conf: { content: "a = 1" }, plain: { file: ./plain } }
`);
    const web = task('web');
    expect(web.Config!['volumes']).toEqual([
      'secrets/token:/run/secrets/token:ro',
      'secrets/key:/run/secrets/api/key:ro',
      'local/conf:/etc/app.conf:ro',
      'local/plain:/plain:ro',
    ]);
    expect(web.Templates!.map((one) => [one!.DestPath, one!.Perms])).toEqual([
      ['secrets/token', '0644'],
      ['secrets/key', '0400'],
      ['local/conf', '0644'],
      ['local/plain', '0644'],
    ]);
    expect(web.Templates![2]!.EmbeddedTmpl).toBe('a = 1');
  });

  it.each([
    [
      'deploy: { resources: { reservations: { devices: [{ driver: nvidia }] } } }',
      'deploy.resources.reservations.devices',
    ],
    ['deploy: { resources: { limits: { cpus: "2" }, reservations: { cpus: "1" } } }', 'deploy.resources.limits.cpus'],
    ['env_file: [{ path: ./token, required: false }]', 'env_file[0].required'],
    ['env_file: [{ path: ./token, format: raw }]', 'env_file[0].format'],
    ['secrets: [{ source: token, uid: "103" }]', 'secrets.token.uid'],
    ['configs: [nowhere]', 'configs.nowhere'],
    ['tmpfs: /run:size=64m', 'tmpfs'],
    ['network_mode: service:other', 'network_mode'],
    ['ports: [{ target: 80, mode: host, name: web }]', 'ports[0].mode'],
    ['ports: [{ target: 80, mode: host, name: web }]', 'ports[0].name'],
    ['volumes: [{ type: bind, source: /a, target: /b, bind: { propagation: shared } }]', 'volumes[0].bind'],
    ['deploy: { restart_policy: { condition: any, backoff: 1 } }', 'deploy.restart_policy.backoff'],
    ['gpus: all', 'gpus'],
  ])('%s: what a job cannot say is named', (line, key) => {
    const { notes } = importCompose(
      `services:\n  a:\n    image: x\n    ${line}\nsecrets: { token: { file: ./token } }\n`,
      options,
    );
    expect(notes.filter((note) => note.startsWith(`a.${key}:`))).toHaveLength(1);
  });

  it('a limit of processes is kept, wherever it stands', () => {
    const { task } = imported('services:\n  a:\n    image: x\n    deploy: { resources: { limits: { pids: 100 } } }\n');
    expect(task('a').Config!['pids_limit']).toBe(100);
  });

  it('any YAML gives a job file that parses, or a fault', () => {
    const keys =
      'image command ports environment volumes depends_on restart deploy healthcheck labels ulimits devices networks logging secrets user tmpfs build'.split(
        ' ',
      );
    const service = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), service, { maxKeys: 3 }), (services) => {
        let hcl: string;
        try {
          hcl = importCompose(JSON.stringify({ services }), options).hcl;
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
          return;
        }
        const { diagnostics } = parseJob({ source: hcl, filename: 'f', host: { files } });
        const problems = diagnostics.filter(({ summary }) => summary !== 'Unset variable');
        expect(problems.map(formatDiagnostic), hcl).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
