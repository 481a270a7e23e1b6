/** What the differences of a job call things, in which order, and what they leave out. All else follows from the field tables. */

/** Rows that are no part of what a person asked for, or are shown elsewhere. */
export const hiddenFields: { readonly [noun: string]: readonly string[] } = {
  Job: [
    'ID',
    'Status',
    'StatusDescription',
    'Version',
    'VersionTag',
    'Stable',
    'CreateIndex',
    'ModifyIndex',
    'JobModifyIndex',
    'SubmitTime',
    'NomadTokenID',
    'Update',
    'TaskGroups',
    'Payload',
  ],
  TaskGroup: ['Name', 'Tasks'],
  Task: ['Name', 'RestartPolicy'],
  UpdateStrategy: ['Stagger'],
  ScalingPolicy: ['ID', 'Type', 'Target', 'CreateIndex', 'ModifyIndex'],
  NetworkResource: ['Device', 'CIDR', 'IP'],
};

/** Rows that are left out while both sides are zero. */
export const shownWhenSet: ReadonlySet<string> = new Set([
  'NetworkResource.MBits',
  'Port.Value',
  'Port.IgnoreCollision',
]);

/** A list's rows under one name each; else a list is called like its field. */
export const itemNames: { readonly [field: string]: string } = {
  Constraints: 'Constraint',
  Affinities: 'Affinity',
  Spreads: 'Spread',
  Networks: 'Network',
  ReservedPorts: 'Static Port',
  DynamicPorts: 'Dynamic Port',
  Services: 'Service',
  Checks: 'Check',
  Volumes: 'Volume',
  VolumeMounts: 'VolumeMount',
  Artifacts: 'Artifact',
  Templates: 'Template',
  Identities: 'Identity',
  Actions: 'Action',
  Secrets: 'Secret',
  Devices: 'Device',
  ScalingPolicies: 'Scaling',
  Upstreams: 'ConsulUpstreams',
  Connect: 'ConsulConnect',
  CSIPluginConfig: 'TaskCSIPluginConfig',
  Links: 'Link',
};

/** Lists whose rows are the same when this field is; rows of others are compared as a whole. */
export const keyedBy: { readonly [field: string]: string } = {
  'TaskGroup.Services': 'Name',
  'Task.Services': 'Name',
  'Service.Checks': 'Name',
  'Task.Actions': 'Name',
  'Task.Identities': 'Name',
  'Task.Secrets': 'Name',
  'Resources.Devices': 'Name',
};

/** The order in which objects are shown; those that are not named here follow in the order of the table. */
export const objectOrder: { readonly [noun: string]: readonly string[] } = {
  Job: ['Datacenters', 'Constraints', 'Affinities', 'Spreads', 'Periodic', 'ParameterizedJob', 'Multiregion', 'UI'],
  TaskGroup: [
    'Constraints',
    'Affinities',
    'Spreads',
    'RestartPolicy',
    'Migrate',
    'ReschedulePolicy',
    'Disconnect',
    'EphemeralDisk',
    'Consul',
    'Update',
    'Networks',
    'Volumes',
    'Scaling',
    'Services',
  ],
  Task: [
    'Constraints',
    'Affinities',
    'Config',
    'Resources',
    'LogConfig',
    'DispatchPayload',
    'Artifacts',
    'Services',
    'Vault',
    'Consul',
    'Templates',
    'Identity',
    'Identities',
    'Actions',
    'VolumeMounts',
  ],
};
