// What the reference says of each block of a job file, and its example: the block as it stands inside of its parents.
// A test parses every example; a noun without an entry fails it.

/** Noun → [one sentence, example]. */
export const jobBlocks = {
  Job: [
    'What is to run: groups of tasks, where, and how it changes.',
    'job "docs" {\n  datacenters = ["dc1"]\n  type        = "service"\n\n  group "app" {\n    task "main" {\n      driver = "raw_exec"\n      config {\n        command = "/bin/sleep"\n        args    = ["3600"]\n      }\n    }\n  }\n}',
  ],
  TaskGroup: [
    'Tasks that run together on one node, `count` times.',
    'group "app" {\n  count = 2\n\n  task "main" {\n    driver = "mock_driver"\n  }\n}',
  ],
  Task: [
    'One program, run by a driver.',
    'task "main" {\n  driver       = "exec"\n  kill_timeout = "20s"\n\n  config {\n    command = "/bin/date"\n  }\n\n  env {\n    TZ = "UTC"\n  }\n}',
  ],
  Constraint: [
    'A node that does not fulfil it is no candidate.',
    'constraint {\n  attribute = "${attr.kernel.name}"\n  value     = "linux"\n}',
  ],
  Affinity: [
    'Nodes that fulfil it are preferred, or with a negative weight avoided.',
    'affinity {\n  attribute = "${node.class}"\n  value     = "ssd"\n  weight    = 60\n}',
  ],
  Spread: [
    'Allocations are spread over the values of an attribute.',
    'spread {\n  attribute = "${node.datacenter}"\n  weight    = 100\n}',
  ],
  SpreadTarget: ['The share that one value gets.', 'target "dc1" {\n  percent = 70\n}'],
  UpdateStrategy: [
    'How a new version is rolled out.',
    'update {\n  max_parallel     = 2\n  canary           = 1\n  auto_promote     = true\n  auto_revert      = true\n  min_healthy_time = "15s"\n}',
  ],
  MigrateStrategy: [
    'How many allocations move at a time when a node is drained.',
    'migrate {\n  max_parallel     = 1\n  min_healthy_time = "10s"\n}',
  ],
  ReschedulePolicy: [
    'Whether and when a failed allocation is placed anew.',
    'reschedule {\n  attempts  = 3\n  interval  = "1h"\n  delay     = "30s"\n  unlimited = false\n}',
  ],
  RestartPolicy: [
    'Whether and when a task that ended is started again in place.',
    'restart {\n  attempts = 2\n  interval = "30m"\n  delay    = "15s"\n  mode     = "fail"\n}',
  ],
  DisconnectStrategy: [
    'What happens when a node is not heard of.',
    'disconnect {\n  lost_after = "6h"\n  replace    = true\n  reconcile  = "best_score"\n}',
  ],
  EphemeralDisk: [
    'The directory that the tasks of a group share.',
    'ephemeral_disk {\n  size    = 500\n  migrate = true\n  sticky  = true\n}',
  ],
  PeriodicConfig: [
    'When a batch job is started again and again.',
    'periodic {\n  crons            = ["0 3 * * *"]\n  prohibit_overlap = true\n  time_zone        = "Europe/Berlin"\n}',
  ],
  ParameterizedJobConfig: [
    'A job that runs once for each dispatch.',
    'parameterized {\n  payload       = "optional"\n  meta_required = ["customer"]\n}',
  ],
  DispatchPayloadConfig: [
    'Where a task finds the payload of its dispatch.',
    'dispatch_payload {\n  file = "input.json"\n}',
  ],
  JobUIConfig: ['What the user interface shows of the job.', 'ui {\n  description = "The shop."\n}'],
  JobUILink: [
    'A link in the user interface.',
    'link {\n  label = "Runbook"\n  url   = "https://example.com/runbook"\n}',
  ],
  Multiregion: [
    'Read, but not served: one job in several regions.',
    'multiregion {\n  region "west" {\n    count = 1\n  }\n}',
  ],
  MultiregionStrategy: [
    'How regions follow each other.',
    'strategy {\n  max_parallel = 1\n  on_failure   = "fail_all"\n}',
  ],
  MultiregionRegion: ['One of the regions.', 'region "west" {\n  count       = 2\n  datacenters = ["west-1"]\n}'],
  NetworkResource: [
    'The network and the ports of a group.',
    'network {\n  mode = "bridge"\n  port "http" {\n    to = 8080\n  }\n}',
  ],
  Port: ['A port: fixed with `static`, else chosen.', 'port "http" {\n  static = 8080\n  to     = 80\n}'],
  DNSConfig: [
    'How names are resolved in the network of a group.',
    'dns {\n  servers  = ["10.0.0.2"]\n  searches = ["example.com"]\n}',
  ],
  CNIConfig: ['Arguments for CNI plugins.', 'cni {\n  args = {\n    zone = "a"\n  }\n}'],
  Resources: ['What a task may use.', 'resources {\n  cpu        = 500\n  memory     = 256\n  memory_max = 512\n}'],
  RequestedDevice: ['A device that a task needs.', 'device "nvidia/gpu" {\n  count = 1\n}'],
  NUMAResource: ['Whether cores and memory have to be near each other.', 'numa {\n  affinity = "prefer"\n}'],
  LogConfig: ['How much of the output of a task is kept.', 'logs {\n  max_files     = 5\n  max_file_size = 20\n}'],
  TaskArtifact: [
    'A file or archive that is fetched before the task starts.',
    'artifact {\n  source      = "https://example.com/app.tar.gz"\n  destination = "local/app"\n  options {\n    checksum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"\n  }\n}',
  ],
  Template: [
    'A file rendered for the task, and rendered again when its data change.',
    'template {\n  data        = "listen {{ env \\"NOMAD_PORT_http\\" }}"\n  destination = "local/app.conf"\n  change_mode = "signal"\n  change_signal = "SIGHUP"\n}',
  ],
  ChangeScript: [
    'What is run in the task when a template changed.',
    'change_script {\n  command = "/bin/reload"\n  timeout = "10s"\n}',
  ],
  WaitConfig: [
    'How long changes are collected before a template is rendered.',
    'wait {\n  min = "2s"\n  max = "10s"\n}',
  ],
  TaskLifecycle: [
    'When a task runs beside the main tasks of its group.',
    'lifecycle {\n  hook    = "prestart"\n  sidecar = false\n}',
  ],
  VolumeRequest: [
    'A volume that a group uses.',
    'volume "data" {\n  type      = "host"\n  source    = "data"\n  read_only = false\n}',
  ],
  VolumeMount: [
    'Where a task sees a volume of its group.',
    'volume_mount {\n  volume      = "data"\n  destination = "/data"\n}',
  ],
  CSIMountOptions: [
    'How a CSI volume is mounted.',
    'mount_options {\n  fs_type     = "ext4"\n  mount_flags = ["noatime"]\n}',
  ],
  TaskCSIPluginConfig: [
    'Makes a task a CSI plugin.',
    'csi_plugin {\n  id        = "disks"\n  type      = "monolith"\n  mount_dir = "/csi"\n}',
  ],
  Service: [
    'A service that others find by its name.',
    'service {\n  name     = "web"\n  port     = "http"\n  provider = "nomad"\n  tags     = ["v1"]\n}',
  ],
  ServiceCheck: [
    'How is found out whether a service is healthy.',
    'check {\n  type     = "http"\n  path     = "/health"\n  interval = "10s"\n  timeout  = "2s"\n}',
  ],
  CheckRestart: ['When failing checks restart the task.', 'check_restart {\n  limit = 3\n  grace = "60s"\n}'],
  ServiceWeights: [
    'Weights of the instances of a service in DNS answers.',
    'weights {\n  passing = 10\n  warning = 1\n}',
  ],
  WorkloadIdentity: [
    'A signed token that says who the task is.',
    'identity {\n  name = "example"\n  aud  = ["example.com"]\n  file = true\n  ttl  = "1h"\n}',
  ],
  Vault: ['Secrets from Vault.', 'vault {\n  role = "app"\n}'],
  Consul: ['Which Consul a group or task uses.', 'consul {\n  cluster = "default"\n}'],
  Secret: [
    'Values from a secret store, for interpolation.',
    'secret "db" {\n  provider = "vault"\n  path     = "secret/data/db"\n}',
  ],
  ScalingPolicy: ['Bounds of `count`, and a policy for an autoscaler.', 'scaling {\n  min = 1\n  max = 10\n}'],
  Action: [
    'A command that can be run in the task on demand.',
    'action "migrate" {\n  command = "/bin/migrate"\n  args    = ["up"]\n}',
  ],
  Isolation: [
    'What tasks may not fall below, whatever the node. Of several demands the highest counts. Unlike Nomad.',
    'isolation {\n  min        = "sandbox"\n  require    = ["seccomp", "pids"]\n  on_degrade = "restart"\n}',
  ],
  TaskSchedule: [
    'Read, but not served: hours in which a task runs.',
    'schedule {\n  cron {\n    start = "0 8 * * * *"\n    end   = "0 18"\n  }\n}',
  ],
  TaskScheduleCron: [
    'When the hours start and end.',
    'cron {\n  start    = "0 8 * * * *"\n  end      = "0 18"\n  timezone = "UTC"\n}',
  ],
  ConsulConnect: ['Puts the service into the Consul service mesh.', 'connect {\n  sidecar_service {}\n}'],
  ConsulSidecarService: ['The proxy beside the service.', 'sidecar_service {\n  tags = ["proxy"]\n}'],
  SidecarTask: [
    "Changes to the proxy's task.",
    'sidecar_task {\n  driver = "docker"\n  resources {\n    memory = 64\n  }\n}',
  ],
  ConsulProxy: ['How the proxy works.', 'proxy {\n  local_service_port = 8080\n}'],
  ConsulUpstream: [
    'A service that this one reaches through the mesh.',
    'upstreams {\n  destination_name = "db"\n  local_bind_port  = 5432\n}',
  ],
  ConsulMeshGateway: ['How an upstream elsewhere is reached.', 'mesh_gateway {\n  mode = "local"\n}'],
  ConsulExposeConfig: [
    'Paths that are reachable outside of the mesh.',
    'expose {\n  path {\n    path            = "/health"\n    protocol        = "http"\n    local_path_port = 8080\n    listener_port   = "health"\n  }\n}',
  ],
  ConsulExposePath: [
    'One such path.',
    'path {\n  path            = "/health"\n  protocol        = "http"\n  local_path_port = 8080\n  listener_port   = "health"\n}',
  ],
  ConsulTransparentProxy: [
    'Traffic goes through the proxy without the task knowing.',
    'transparent_proxy {\n  outbound_port = 15001\n}',
  ],
  ConsulGateway: [
    'Makes the service a gateway of the mesh.',
    'gateway {\n  ingress {\n    listener {\n      port     = 8080\n      protocol = "tcp"\n      service {\n        name = "web"\n      }\n    }\n  }\n}',
  ],
  ConsulGatewayProxy: ["The gateway's proxy.", 'proxy {\n  connect_timeout = "5s"\n}'],
  ConsulGatewayBindAddress: [
    'An address that the gateway listens on.',
    'envoy_gateway_bind_addresses "all" {\n  address = "0.0.0.0"\n  port    = 8443\n}',
  ],
  ConsulGatewayTLSConfig: ['TLS of a gateway.', 'tls {\n  enabled = true\n}'],
  ConsulGatewayTLSSDSConfig: [
    'Where certificates of a gateway come from.',
    'sds {\n  cluster_name  = "certs"\n  cert_resource = "web"\n}',
  ],
  ConsulIngressConfigEntry: [
    'What an ingress gateway lets in.',
    'ingress {\n  listener {\n    port     = 8080\n    protocol = "tcp"\n    service {\n      name = "web"\n    }\n  }\n}',
  ],
  ConsulIngressListener: [
    'One port of an ingress gateway.',
    'listener {\n  port     = 8080\n  protocol = "tcp"\n  service {\n    name = "web"\n  }\n}',
  ],
  ConsulIngressService: [
    'A service behind a port of an ingress gateway.',
    'service {\n  name  = "web"\n  hosts = ["web.example.com"]\n}',
  ],
  ConsulHTTPHeaderModifiers: [
    'Changes to headers on the way.',
    'request_headers {\n  set {\n    x-gateway = "ingress"\n  }\n}',
  ],
  ConsulTerminatingConfigEntry: [
    'What a terminating gateway leads to.',
    'terminating {\n  service {\n    name = "legacy"\n  }\n}',
  ],
  ConsulLinkedService: ['A service behind a terminating gateway.', 'service {\n  name = "legacy"\n}'],
  ConsulMeshConfigEntry: ['Makes the gateway a mesh gateway.', 'mesh {}'],
};

export const aboutBlock = (noun) => jobBlocks[noun]?.[0] ?? '';

const mesh = 'it needs a Consul on the node, which registers the service and configures the proxy';

/** Why an agent alone cannot run the example of a block; nothing where it runs. */
export const notRun = (noun) =>
  ({
    RequestedDevice: 'it needs a device that the node has',
    CSIMountOptions: 'volumes of type csi are not served',
    SidecarTask: mesh,
  })[noun] ?? (/^Consul./.test(noun) ? mesh : undefined);
