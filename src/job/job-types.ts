// Made by scripts/reference.mjs from the field tables of the model; do not edit.

/** Text may hold expressions, as in a job file: `${attr.kernel.name}` is filled in at run time. */
export type Text = string;
/** Like `1h30m` or `10s`, or nanoseconds. */
export type Duration = string | number;
/** One block, or several of its kind. */
export type Blocks<T> = T | readonly T[];
/** Blocks by their labels. */
export type Labelled<T> = { readonly [label: string]: Blocks<T> };
/** Free-form: what it may hold is up to the driver. */
export type Free = { readonly [key: string]: unknown };
/** Text by key; numbers and booleans become text. */
export type TextMap = { readonly [key: string]: string | number | boolean };

/** What is to run: groups of tasks, where, and how it changes. */
export interface JobBody {
  readonly region?: Text | null;
  readonly namespace?: Text | null;
  readonly id?: Text | null;
  readonly name?: Text | null;
  readonly type?: Text | null;
  readonly priority?: number | Text | null;
  readonly all_at_once?: boolean | Text | null;
  readonly datacenters?: readonly Text[] | null;
  readonly node_pool?: Text | null;
  readonly constraint?: Blocks<ConstraintBody>;
  readonly affinity?: Blocks<AffinityBody>;
  readonly group?: Labelled<TaskGroupBody>;
  readonly update?: UpdateStrategyBody;
  readonly multiregion?: MultiregionBody;
  readonly spread?: Blocks<SpreadBody>;
  readonly periodic?: PeriodicConfigBody;
  readonly parameterized?: ParameterizedJobConfigBody;
  readonly reschedule?: ReschedulePolicyBody;
  readonly migrate?: MigrateStrategyBody;
  readonly meta?: TextMap;
  readonly ui?: JobUIConfigBody;
  readonly isolation?: IsolationBody;
  readonly vault?: VaultBody;
  readonly secret?: Labelled<SecretBody>;
  readonly task?: Labelled<TaskBody>;
}

/** A node that does not fulfil it is no candidate. */
export interface ConstraintBody {
  readonly attribute?: Text | null;
  readonly value?: Text | null;
  readonly operator?: Text | null;
  readonly version?: Text | null;
  readonly semver?: Text | null;
  readonly regexp?: Text | null;
  readonly set_contains?: Text | null;
  readonly distinct_hosts?: boolean | Text | null;
  readonly distinct_property?: Text | null;
  readonly set_contains_all?: Text | null;
  readonly set_contains_any?: Text | null;
  readonly is_set?: Text | null;
  readonly is_not_set?: Text | null;
}

/** Nodes that fulfil it are preferred, or with a negative weight avoided. */
export interface AffinityBody {
  readonly attribute?: Text | null;
  readonly value?: Text | null;
  readonly operator?: Text | null;
  readonly weight?: number | Text | null;
  readonly version?: Text | null;
  readonly semver?: Text | null;
  readonly regexp?: Text | null;
  readonly set_contains_any?: Text | null;
  readonly set_contains_all?: Text | null;
  readonly set_contains?: Text | null;
}

/** Tasks that run together on one node, `count` times. */
export interface TaskGroupBody {
  readonly count?: number | Text | null;
  readonly shutdown_delay?: Duration | null;
  readonly max_run_duration?: Duration | null;
  readonly stop_after_client_disconnect?: Duration | null;
  readonly max_client_disconnect?: Duration | null;
  readonly prevent_reschedule_on_lost?: boolean | Text | null;
  readonly constraint?: Blocks<ConstraintBody>;
  readonly affinity?: Blocks<AffinityBody>;
  readonly task?: Labelled<TaskBody>;
  readonly spread?: Blocks<SpreadBody>;
  readonly volume?: Labelled<VolumeRequestBody>;
  readonly restart?: RestartPolicyBody;
  readonly disconnect?: DisconnectStrategyBody;
  readonly reschedule?: ReschedulePolicyBody;
  readonly ephemeral_disk?: EphemeralDiskBody;
  readonly update?: UpdateStrategyBody;
  readonly migrate?: MigrateStrategyBody;
  readonly network?: Blocks<NetworkResourceBody>;
  readonly meta?: TextMap;
  readonly service?: Blocks<ServiceBody>;
  readonly scaling?: ScalingPolicyBody;
  readonly consul?: ConsulBody;
  readonly isolation?: IsolationBody;
  readonly vault?: VaultBody;
  readonly secret?: Labelled<SecretBody>;
}

/** One program, run by a driver. */
export interface TaskBody {
  readonly driver?: Text | null;
  readonly user?: Text | null;
  readonly kill_timeout?: Duration | null;
  readonly leader?: boolean | Text | null;
  readonly shutdown_delay?: Duration | null;
  readonly kill_signal?: Text | null;
  readonly kind?: Text | null;
  readonly lifecycle?: TaskLifecycleBody;
  readonly config?: Free;
  readonly constraint?: Blocks<ConstraintBody>;
  readonly affinity?: Blocks<AffinityBody>;
  readonly env?: TextMap;
  readonly service?: Blocks<ServiceBody>;
  readonly resources?: ResourcesBody;
  readonly restart?: RestartPolicyBody;
  readonly meta?: TextMap;
  readonly logs?: LogConfigBody;
  readonly artifact?: Blocks<TaskArtifactBody>;
  readonly vault?: VaultBody;
  readonly consul?: ConsulBody;
  readonly template?: Blocks<TemplateBody>;
  readonly dispatch_payload?: DispatchPayloadConfigBody;
  readonly volume_mount?: Blocks<VolumeMountBody>;
  readonly csi_plugin?: TaskCSIPluginConfigBody;
  readonly scaling?: Labelled<ScalingPolicyBody>;
  readonly secret?: Labelled<SecretBody>;
  readonly identity?: Blocks<WorkloadIdentityBody>;
  readonly action?: Labelled<ActionBody>;
  readonly schedule?: TaskScheduleBody;
  readonly isolation?: IsolationBody;
}

/** When a task runs beside the main tasks of its group. */
export interface TaskLifecycleBody {
  readonly hook: Text;
  readonly sidecar?: boolean | Text | null;
}

/** A service that others find by its name. */
export interface ServiceBody {
  readonly name?: Text | null;
  readonly tags?: readonly Text[] | null;
  readonly canary_tags?: readonly Text[] | null;
  readonly enable_tag_override?: boolean | Text | null;
  readonly port?: Text | null;
  readonly address_mode?: Text | null;
  readonly address?: Text | null;
  readonly task?: Text | null;
  readonly on_update?: Text | null;
  readonly provider?: Text | null;
  readonly cluster?: Text | null;
  readonly kind?: Text | null;
  readonly check?: Blocks<ServiceCheckBody>;
  readonly check_restart?: CheckRestartBody;
  readonly connect?: ConsulConnectBody;
  readonly meta?: TextMap;
  readonly canary_meta?: TextMap;
  readonly tagged_addresses?: TextMap;
  readonly identity?: WorkloadIdentityBody;
  readonly weights?: ServiceWeightsBody;
}

/** How is found out whether a service is healthy. */
export interface ServiceCheckBody {
  readonly name?: Text | null;
  readonly type?: Text | null;
  readonly command?: Text | null;
  readonly args?: readonly Text[] | null;
  readonly path?: Text | null;
  readonly protocol?: Text | null;
  readonly port?: Text | null;
  readonly expose?: boolean | Text | null;
  readonly address_mode?: Text | null;
  readonly advertise?: Text | null;
  readonly interval?: Duration | null;
  readonly timeout?: Duration | null;
  readonly initial_status?: Text | null;
  readonly notes?: Text | null;
  readonly tls_server_name?: Text | null;
  readonly tls_skip_verify?: boolean | Text | null;
  readonly method?: Text | null;
  readonly grpc_service?: Text | null;
  readonly grpc_use_tls?: boolean | Text | null;
  readonly task?: Text | null;
  readonly success_before_passing?: number | Text | null;
  readonly failures_before_critical?: number | Text | null;
  readonly failures_before_warning?: number | Text | null;
  readonly body?: Text | null;
  readonly on_update?: Text | null;
  readonly header?: TextMap;
  readonly check_restart?: CheckRestartBody;
}

/** When failing checks restart the task. */
export interface CheckRestartBody {
  readonly limit?: number | Text | null;
  readonly grace?: Duration | null;
  readonly ignore_warnings?: boolean | Text | null;
}

/** Puts the service into the Consul service mesh. */
export interface ConsulConnectBody {
  readonly native?: boolean | Text | null;
  readonly gateway?: ConsulGatewayBody;
  readonly sidecar_service?: ConsulSidecarServiceBody;
  readonly sidecar_task?: SidecarTaskBody;
}

/** Makes the service a gateway of the mesh. */
export interface ConsulGatewayBody {
  readonly proxy?: ConsulGatewayProxyBody;
  readonly ingress?: ConsulIngressConfigEntryBody;
  readonly terminating?: ConsulTerminatingConfigEntryBody;
  readonly mesh?: ConsulMeshConfigEntryBody;
}

/** The gateway's proxy. */
export interface ConsulGatewayProxyBody {
  readonly connect_timeout?: Duration | null;
  readonly envoy_gateway_bind_tagged_addresses?: boolean | Text | null;
  readonly envoy_gateway_no_default_bind?: boolean | Text | null;
  readonly envoy_dns_discovery_type?: Text | null;
  readonly envoy_gateway_bind_addresses?: Labelled<ConsulGatewayBindAddressBody>;
  readonly config?: Free;
}

/** An address that the gateway listens on. */
export interface ConsulGatewayBindAddressBody {
  readonly address?: Text | null;
  readonly port?: number | Text | null;
}

/** What an ingress gateway lets in. */
export interface ConsulIngressConfigEntryBody {
  readonly tls?: ConsulGatewayTLSConfigBody;
  readonly listener?: Blocks<ConsulIngressListenerBody>;
}

/** TLS of a gateway. */
export interface ConsulGatewayTLSConfigBody {
  readonly enabled?: boolean | Text | null;
  readonly tls_min_version?: Text | null;
  readonly tls_max_version?: Text | null;
  readonly cipher_suites?: readonly Text[] | null;
  readonly sds?: ConsulGatewayTLSSDSConfigBody;
}

/** Where certificates of a gateway come from. */
export interface ConsulGatewayTLSSDSConfigBody {
  readonly cluster_name?: Text | null;
  readonly cert_resource?: Text | null;
}

/** One port of an ingress gateway. */
export interface ConsulIngressListenerBody {
  readonly port?: number | Text | null;
  readonly protocol?: Text | null;
  readonly service?: Blocks<ConsulIngressServiceBody>;
}

/** A service behind a port of an ingress gateway. */
export interface ConsulIngressServiceBody {
  readonly name?: Text | null;
  readonly hosts?: readonly Text[] | null;
  readonly max_connections?: number | Text | null;
  readonly max_pending_requests?: number | Text | null;
  readonly max_concurrent_requests?: number | Text | null;
  readonly tls?: ConsulGatewayTLSConfigBody;
  readonly request_headers?: ConsulHTTPHeaderModifiersBody;
  readonly response_headers?: ConsulHTTPHeaderModifiersBody;
}

/** Changes to headers on the way. */
export interface ConsulHTTPHeaderModifiersBody {
  readonly remove?: readonly Text[] | null;
  readonly add?: TextMap;
  readonly set?: TextMap;
}

/** What a terminating gateway leads to. */
export interface ConsulTerminatingConfigEntryBody {
  readonly service?: Blocks<ConsulLinkedServiceBody>;
}

/** A service behind a terminating gateway. */
export interface ConsulLinkedServiceBody {
  readonly name?: Text | null;
  readonly ca_file?: Text | null;
  readonly cert_file?: Text | null;
  readonly key_file?: Text | null;
  readonly sni?: Text | null;
}

/** Makes the gateway a mesh gateway. */
export type ConsulMeshConfigEntryBody = Record<string, never>;

/** The proxy beside the service. */
export interface ConsulSidecarServiceBody {
  readonly tags?: readonly Text[] | null;
  readonly port?: Text | null;
  readonly disable_default_tcp_check?: boolean | Text | null;
  readonly proxy?: ConsulProxyBody;
  readonly meta?: TextMap;
}

/** How the proxy works. */
export interface ConsulProxyBody {
  readonly local_service_address?: Text | null;
  readonly local_service_port?: number | Text | null;
  readonly expose?: ConsulExposeConfigBody;
  readonly upstreams?: Blocks<ConsulUpstreamBody>;
  readonly transparent_proxy?: ConsulTransparentProxyBody;
  readonly config?: Free;
}

/** Paths that are reachable outside of the mesh. */
export interface ConsulExposeConfigBody {
  readonly path?: Blocks<ConsulExposePathBody>;
}

/** One such path. */
export interface ConsulExposePathBody {
  readonly path?: Text | null;
  readonly protocol?: Text | null;
  readonly local_path_port?: number | Text | null;
  readonly listener_port?: Text | null;
}

/** A service that this one reaches through the mesh. */
export interface ConsulUpstreamBody {
  readonly destination_name?: Text | null;
  readonly destination_namespace?: Text | null;
  readonly destination_peer?: Text | null;
  readonly destination_partition?: Text | null;
  readonly destination_type?: Text | null;
  readonly local_bind_port?: number | Text | null;
  readonly datacenter?: Text | null;
  readonly local_bind_address?: Text | null;
  readonly local_bind_socket_path?: Text | null;
  readonly local_bind_socket_mode?: Text | null;
  readonly mesh_gateway?: ConsulMeshGatewayBody;
  readonly config?: Free;
}

/** How an upstream elsewhere is reached. */
export interface ConsulMeshGatewayBody {
  readonly mode?: Text | null;
}

/** Traffic goes through the proxy without the task knowing. */
export interface ConsulTransparentProxyBody {
  readonly uid?: Text | null;
  readonly outbound_port?: number | Text | null;
  readonly exclude_inbound_ports?: readonly Text[] | null;
  readonly exclude_outbound_ports?: readonly object[] | null;
  readonly exclude_outbound_cidrs?: readonly Text[] | null;
  readonly exclude_uids?: readonly Text[] | null;
  readonly no_dns?: boolean | Text | null;
}

/** Changes to the proxy's task. */
export interface SidecarTaskBody {
  readonly name?: Text | null;
  readonly driver?: Text | null;
  readonly user?: Text | null;
  readonly kill_timeout?: Duration | null;
  readonly shutdown_delay?: Duration | null;
  readonly kill_signal?: Text | null;
  readonly config?: Free;
  readonly env?: TextMap;
  readonly resources?: ResourcesBody;
  readonly meta?: TextMap;
  readonly logs?: LogConfigBody;
  readonly volume_mount?: Blocks<VolumeMountBody>;
  readonly identity?: Blocks<WorkloadIdentityBody>;
}

/** What a task may use. */
export interface ResourcesBody {
  readonly cpu?: number | Text | null;
  readonly cores?: number | Text | null;
  readonly memory?: number | Text | null;
  readonly memory_max?: number | Text | null;
  readonly disk?: number | Text | null;
  readonly secrets?: number | Text | null;
  readonly iops?: number | Text | null;
  readonly network?: Blocks<NetworkResourceBody>;
  readonly device?: Labelled<RequestedDeviceBody>;
  readonly numa?: NUMAResourceBody;
}

/** The network and the ports of a group. */
export interface NetworkResourceBody {
  readonly mode?: Text | null;
  readonly device?: Text | null;
  readonly cidr?: Text | null;
  readonly ip?: Text | null;
  readonly hostname?: Text | null;
  readonly mbits?: number | Text | null;
  readonly dns?: DNSConfigBody;
  readonly reserved_ports?: Labelled<PortBody>;
  readonly port?: Labelled<PortBody>;
  readonly cni?: CNIConfigBody;
}

/** How names are resolved in the network of a group. */
export interface DNSConfigBody {
  readonly servers?: readonly Text[] | null;
  readonly searches?: readonly Text[] | null;
  readonly options?: readonly Text[] | null;
}

/** A port: fixed with `static`, else chosen. */
export interface PortBody {
  readonly static?: number | Text | null;
  readonly to?: number | Text | null;
  readonly host_network?: Text | null;
  readonly ignore_collision?: boolean | Text | null;
}

/** Arguments for CNI plugins. */
export interface CNIConfigBody {
  readonly args?: { readonly [key: string]: unknown } | null;
}

/** A device that a task needs. */
export interface RequestedDeviceBody {
  readonly count?: number | Text | null;
  readonly constraint?: Blocks<ConstraintBody>;
  readonly affinity?: Blocks<AffinityBody>;
}

/** Whether cores and memory have to be near each other. */
export interface NUMAResourceBody {
  readonly affinity?: Text | null;
  readonly devices?: readonly Text[] | null;
}

/** How much of the output of a task is kept. */
export interface LogConfigBody {
  readonly max_files?: number | Text | null;
  readonly max_file_size?: number | Text | null;
  readonly enabled?: boolean | Text | null;
  readonly disabled?: boolean | Text | null;
}

/** Where a task sees a volume of its group. */
export interface VolumeMountBody {
  readonly volume?: Text | null;
  readonly destination?: Text | null;
  readonly read_only?: boolean | Text | null;
  readonly propagation_mode?: Text | null;
  readonly selinux_label?: Text | null;
}

/** A signed token that says who the task is. */
export interface WorkloadIdentityBody {
  readonly name?: Text | null;
  readonly aud?: readonly Text[] | null;
  readonly change_mode?: Text | null;
  readonly change_signal?: Text | null;
  readonly env?: boolean | Text | null;
  readonly file?: boolean | Text | null;
  readonly filepath?: Text | null;
  readonly service_name?: Text | null;
  readonly ttl?: Duration | null;
  readonly extra_claims?: readonly Text[] | null;
}

/** Weights of the instances of a service in DNS answers. */
export interface ServiceWeightsBody {
  readonly passing?: number | Text | null;
  readonly warning?: number | Text | null;
}

/** Whether and when a task that ended is started again in place. */
export interface RestartPolicyBody {
  readonly interval?: Duration | null;
  readonly attempts?: number | Text | null;
  readonly delay?: Duration | null;
  readonly mode?: Text | null;
  readonly render_templates?: boolean | Text | null;
}

/** A file or archive that is fetched before the task starts. */
export interface TaskArtifactBody {
  readonly source?: Text | null;
  readonly mode?: Text | null;
  readonly insecure?: boolean | Text | null;
  readonly destination?: Text | null;
  readonly chown?: boolean | Text | null;
  readonly options?: TextMap;
  readonly headers?: TextMap;
}

/** Secrets from Vault. */
export interface VaultBody {
  readonly policies?: readonly Text[] | null;
  readonly role?: Text | null;
  readonly namespace?: Text | null;
  readonly cluster?: Text | null;
  readonly env?: boolean | Text | null;
  readonly disable_file?: boolean | Text | null;
  readonly change_mode?: Text | null;
  readonly change_signal?: Text | null;
  readonly allow_token_expiration?: boolean | Text | null;
}

/** Which Consul a group or task uses. */
export interface ConsulBody {
  readonly namespace?: Text | null;
  readonly cluster?: Text | null;
  readonly partition?: Text | null;
}

/** A file rendered for the task, and rendered again when its data change. */
export interface TemplateBody {
  readonly source?: Text | null;
  readonly destination?: Text | null;
  readonly data?: Text | null;
  readonly change_mode?: Text | null;
  readonly change_signal?: Text | null;
  readonly once?: boolean | Text | null;
  readonly splay?: Duration | null;
  readonly perms?: Text | null;
  readonly uid?: number | Text | null;
  readonly gid?: number | Text | null;
  readonly left_delimiter?: Text | null;
  readonly right_delimiter?: Text | null;
  readonly env?: boolean | Text | null;
  readonly vault_grace?: Duration | null;
  readonly error_on_missing_key?: boolean | Text | null;
  readonly change_script?: ChangeScriptBody;
  readonly wait?: WaitConfigBody;
}

/** What is run in the task when a template changed. */
export interface ChangeScriptBody {
  readonly command?: Text | null;
  readonly args?: readonly Text[] | null;
  readonly timeout?: Duration | null;
  readonly fail_on_error?: boolean | Text | null;
  readonly run_on_first_render?: boolean | Text | null;
}

/** How long changes are collected before a template is rendered. */
export interface WaitConfigBody {
  readonly min?: Duration | null;
  readonly max?: Duration | null;
}

/** Where a task finds the payload of its dispatch. */
export interface DispatchPayloadConfigBody {
  readonly file?: Text | null;
}

/** Makes a task a CSI plugin. */
export interface TaskCSIPluginConfigBody {
  readonly id?: Text | null;
  readonly type?: Text | null;
  readonly mount_dir?: Text | null;
  readonly stage_publish_base_dir?: Text | null;
  readonly health_timeout?: Duration | null;
}

/** Bounds of `count`, and a policy for an autoscaler. */
export interface ScalingPolicyBody {
  readonly min?: number | Text | null;
  readonly max?: number | Text | null;
  readonly enabled?: boolean | Text | null;
  readonly type?: Text | null;
  readonly policy?: Free;
}

/** Values from a secret store, for interpolation. */
export interface SecretBody {
  readonly provider?: Text | null;
  readonly path?: Text | null;
  readonly config?: Free;
  readonly env?: TextMap;
}

/** A command that can be run in the task on demand. */
export interface ActionBody {
  readonly command: Text;
  readonly args?: readonly Text[] | null;
}

/** Read, but not served: hours in which a task runs. */
export interface TaskScheduleBody {
  readonly cron?: TaskScheduleCronBody;
}

/** When the hours start and end. */
export interface TaskScheduleCronBody {
  readonly start?: Text | null;
  readonly end?: Text | null;
  readonly timezone?: Text | null;
}

/** What tasks may not fall below, whatever the node. Of several demands the highest counts. Unlike Nomad. */
export interface IsolationBody {
  readonly min?: Text | null;
  readonly require?: readonly Text[] | null;
  readonly on_degrade?: Text | null;
}

/** Allocations are spread over the values of an attribute. */
export interface SpreadBody {
  readonly attribute?: Text | null;
  readonly weight?: number | Text | null;
  readonly target?: Labelled<SpreadTargetBody>;
}

/** The share that one value gets. */
export interface SpreadTargetBody {
  readonly percent?: number | Text | null;
}

/** A volume that a group uses. */
export interface VolumeRequestBody {
  readonly type?: Text | null;
  readonly source?: Text | null;
  readonly read_only?: boolean | Text | null;
  readonly sticky?: boolean | Text | null;
  readonly access_mode?: Text | null;
  readonly attachment_mode?: Text | null;
  readonly per_alloc?: boolean | Text | null;
  readonly mount_options?: CSIMountOptionsBody;
}

/** How a CSI volume is mounted. */
export interface CSIMountOptionsBody {
  readonly fs_type?: Text | null;
  readonly mount_flags?: readonly Text[] | null;
}

/** What happens when a node is not heard of. */
export interface DisconnectStrategyBody {
  readonly lost_after?: Duration | null;
  readonly stop_on_client_after?: Duration | null;
  readonly replace?: boolean | Text | null;
  readonly reconcile?: Text | null;
}

/** Whether and when a failed allocation is placed anew. */
export interface ReschedulePolicyBody {
  readonly attempts?: number | Text | null;
  readonly interval?: Duration | null;
  readonly delay?: Duration | null;
  readonly delay_function?: Text | null;
  readonly max_delay?: Duration | null;
  readonly unlimited?: boolean | Text | null;
}

/** The directory that the tasks of a group share. */
export interface EphemeralDiskBody {
  readonly sticky?: boolean | Text | null;
  readonly migrate?: boolean | Text | null;
  readonly size?: number | Text | null;
}

/** How a new version is rolled out. */
export interface UpdateStrategyBody {
  readonly stagger?: Duration | null;
  readonly max_parallel?: number | Text | null;
  readonly health_check?: Text | null;
  readonly min_healthy_time?: Duration | null;
  readonly healthy_deadline?: Duration | null;
  readonly progress_deadline?: Duration | null;
  readonly canary?: number | Text | null;
  readonly auto_revert?: boolean | Text | null;
  readonly auto_promote?: boolean | Text | null;
}

/** How many allocations move at a time when a node is drained. */
export interface MigrateStrategyBody {
  readonly max_parallel?: number | Text | null;
  readonly health_check?: Text | null;
  readonly min_healthy_time?: Duration | null;
  readonly healthy_deadline?: Duration | null;
}

/** Read, but not served: one job in several regions. */
export interface MultiregionBody {
  readonly strategy?: MultiregionStrategyBody;
  readonly region?: Labelled<MultiregionRegionBody>;
}

/** How regions follow each other. */
export interface MultiregionStrategyBody {
  readonly max_parallel?: number | Text | null;
  readonly on_failure?: Text | null;
}

/** One of the regions. */
export interface MultiregionRegionBody {
  readonly count?: number | Text | null;
  readonly datacenters?: readonly Text[] | null;
  readonly node_pool?: Text | null;
  readonly meta?: TextMap;
}

/** When a batch job is started again and again. */
export interface PeriodicConfigBody {
  readonly enabled?: boolean | Text | null;
  readonly cron?: Text | null;
  readonly crons?: readonly Text[] | null;
  readonly prohibit_overlap?: boolean | Text | null;
  readonly time_zone?: Text | null;
}

/** A job that runs once for each dispatch. */
export interface ParameterizedJobConfigBody {
  readonly payload?: Text | null;
  readonly meta_required?: readonly Text[] | null;
  readonly meta_optional?: readonly Text[] | null;
}

/** What the user interface shows of the job. */
export interface JobUIConfigBody {
  readonly description?: Text | null;
  readonly link?: Blocks<JobUILinkBody>;
}

/** A link in the user interface. */
export interface JobUILinkBody {
  readonly label?: Text | null;
  readonly url?: Text | null;
}
