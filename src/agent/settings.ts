/**
 * Every key an agent file may hold: its kind, and what happens with it. Source: Nomad's agent configuration reference.
 *   served        used
 *   later(kind)   understood, has no effect yet: a warning with its place
 *   refused(…)    understood, not served, and doing without would weaken security or change the topology: stops the agent
 */
export type Kind = 'string' | 'int' | 'float' | 'bool' | 'duration' | 'strings' | 'map' | 'free';

export interface Setting {
  readonly kind: Kind | Settings;
  /** `many`: the block may be repeated; `labelled`: it has one label, and repeats merge by it. */
  readonly repeat?: 'many' | 'labelled';
  readonly served: 'yes' | 'later' | 'refused';
  /** A refused setting with this value is harmless and passes. */
  readonly harmless?: unknown;
  readonly because?: string;
}

export interface Settings {
  readonly [name: string]: Setting;
}

const served = (kind: Kind | Settings): Setting => ({ kind, served: 'yes' });
const labelled = (kind: Kind | Settings): Setting => ({ kind, served: 'yes', repeat: 'labelled' });
const later = (kind: Kind | Settings): Setting => ({ kind, served: 'later' });
const refused = (kind: Kind | Settings, because: string, harmless?: unknown): Setting => ({
  kind,
  served: 'refused',
  because,
  harmless,
});

const string = served('string');
const int = served('int');
const bool = served('bool');
const strings = served('strings');
const map = served('map');
const duration = served('duration');

const oneServer = 'this version runs one server: a second would decide on its own';
const address = served({ http: string, rpc: later('string'), serf: later('string') });

const join = refused(
  { start_join: strings, retry_join: strings, retry_max: int, retry_interval: duration },
  `${oneServer}; let client agents join with client { servers = [...] }`,
);

const schedulerConfig: Settings = {
  scheduler_algorithm: later('string'),
  memory_oversubscription_enabled: later('bool'),
  reject_job_registration: later('bool'),
  pause_eval_broker: later('bool'),
  node_limit_for_feasibility_checks: later('int'),
  preemption_config: later('free'),
};

const server: Settings = {
  enabled: bool,
  bootstrap_expect: refused('int', oneServer, 1),
  encrypt: refused(
    'string',
    'there is no gossip between servers to encrypt: what the key is meant to protect is not there',
  ),
  start_join: refused('strings', oneServer),
  retry_join: refused('strings', oneServer),
  server_join: join,
  num_schedulers: int,
  enabled_schedulers: later('strings'),
  node_gc_threshold: duration,
  job_gc_interval: duration,
  job_gc_threshold: duration,
  eval_gc_threshold: duration,
  batch_eval_gc_threshold: duration,
  deployment_gc_threshold: duration,
  heartbeat_grace: duration,
  min_heartbeat_ttl: duration,
  max_heartbeats_per_second: later('float'),
  default_scheduler_config: served(schedulerConfig),
  job_default_priority: later('int'),
  job_max_priority: later('int'),
  job_max_source_size: later('string'),
  job_tracked_versions: later('int'),
  join_token: string,
  authoritative_region: refused('string', oneServer),
  non_voting_server: refused('bool', oneServer, false),
  ...laterAll(
    'client_introduction data_dir protocol_version raft_protocol raft_multiplier csi_volume_claim_gc_interval csi_volume_claim_gc_threshold ' +
      'csi_plugin_gc_threshold acl_token_gc_threshold root_key_gc_interval root_key_gc_threshold root_key_rotation_threshold ' +
      'failover_heartbeat_ttl retry_max retry_interval rejoin_after_leave redundancy_zone upgrade_version plan_rejection_tracker ' +
      'plan_apply_pipeline enable_event_broker event_buffer_size license_path search deploy_query_rate_limit raft_logstore raft_boltdb ' +
      'raft_snapshot_threshold raft_snapshot_interval raft_trailing_logs job_max_count oidc_issuer start_timeout log_file non_production',
  ),
};

const client: Settings = {
  enabled: bool,
  state_dir: string,
  alloc_dir: string,
  servers: strings,
  join_token: string,
  node_class: string,
  node_pool: string,
  options: map,
  meta: map,
  chroot_env: map,
  network_interface: string,
  bridge_network_subnet: string,
  bind_wildcard_default_host_network: bool,
  egress_policy: served({ deny: strings, allow: strings }),
  cpu_total_compute: int,
  memory_total_mb: int,
  disk_total_mb: int,
  disk_free_mb: int,
  max_kill_timeout: duration,
  min_dynamic_port: int,
  max_dynamic_port: int,
  reserved: served({ cpu: int, memory: int, disk: int, reserved_ports: string, cores: later('string') }),
  gc_interval: duration,
  gc_max_allocs: int,
  gc_disk_usage_threshold: served('float'),
  host_volume: labelled({ path: string, read_only: bool }),
  isolation: served({
    min: string,
    require: strings,
    on_degrade: string,
    recheck_interval: duration,
    subordinate_ids: bool,
    disk_quota: bool,
  }),
  cgroup_parent: string,
  default_ineligible: bool,
  disable_remote_exec: bool,
  node_max_allocs: int,
  drain_on_shutdown: later({ deadline: duration, ignore_system_jobs: bool, force: bool }),
  server_join: join,
  host_network: later('free'),
  ...laterAll(
    'alloc_mounts_dir host_volumes_dir host_volume_plugin_dir common_plugin_dir preferred_address_family network_speed cpu_disable_dmidecode ' +
      'reservable_cores client_max_port client_min_port gc_parallel_destroys gc_inode_usage_threshold gc_volumes_on_node_gc no_host_uuid ' +
      'template cni_path cni_config_dir bridge_network_name bridge_network_subnet_ipv6 bridge_network_hairpin_mode ' +
      'nomad_service_discovery artifact users log_file fingerprint',
  ),
};

export const agentSettings: Settings = {
  region: string,
  datacenter: string,
  name: string,
  data_dir: string,
  plugin_dir: served('string'),
  bind_addr: string,
  log_level: string,
  log_json: bool,
  log_file: string,
  enable_debug: later('bool'),
  leave_on_interrupt: later('bool'),
  leave_on_terminate: later('bool'),
  http_api_response_headers: map,
  ports: served({ http: int, rpc: later('int'), serf: later('int') }),
  addresses: address,
  advertise: address,
  server: served(server),
  client: served(client),
  plugin: labelled({
    enabled: bool,
    args: strings,
    config: served('free'),
    checksum: string,
    auto_mtls: bool,
    call_timeout: duration,
    start_timeout: duration,
  }),
  limits: served({
    http_max_conns_per_client: int,
    https_handshake_timeout: later('duration'),
    rpc_handshake_timeout: later('duration'),
    rpc_max_conns_per_client: later('int'),
  }),
  tls: served({
    http: bool,
    ca_file: string,
    cert_file: string,
    key_file: string,
    verify_https_client: bool,
    rpc: refused('bool', 'agents meet over the HTTP API here: set tls { http = true }', false),
    verify_server_hostname: later('bool'),
    rpc_upgrade_mode: later('bool'),
    tls_cipher_suites: refused(
      'string',
      'the suites are those of Node.js: narrow them with tls_min_version = "tls13"',
      '',
    ),
    tls_min_version: string,
  }),
  acl: refused(
    {
      enabled: bool,
      ...laterAll('token_ttl policy_ttl role_ttl replication_token token_min_expiration_ttl token_max_expiration_ttl'),
    },
    'access control is not served yet: the agent would let everyone in',
    { enabled: false },
  ),
  api: served({ allow_remote_without_acl: bool, allow_tasks: bool, allowed_hosts: strings, allowed_origins: strings }),
  telemetry: later('free'),
  ui: later('free'),
  consul: { kind: 'free', served: 'later', repeat: 'many' },
  vault: { kind: 'free', served: 'later', repeat: 'many' },
  keyring: { kind: 'free', served: 'later', repeat: 'many' },
  ...laterAll(
    'log_include_location log_rotate_duration log_rotate_bytes log_rotate_max_files rpc enable_syslog syslog_facility disable_update_check ' +
      'disable_anonymous_signature sentinel autopilot audit reporting eventlog',
  ),
};

function laterAll(names: string): Settings {
  return Object.fromEntries(names.split(' ').map((name) => [name, later('free')]));
}
