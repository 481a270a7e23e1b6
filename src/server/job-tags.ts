/** Names for versions of jobs: a version with one is kept, whatever comes after it. */
import { Fault } from '../lib/fault.ts';
import type { Job, JobVersionTag } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { dropOldVersions } from './job-register.ts';

export interface TagVersion {
  readonly namespace: string;
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Null: the newest. */
  readonly version: number | null;
}

/** As many as a job may have. */
const mostTags = 6;
const refused = (text: string): Fault => new Fault('invalid', text, { status: 500 });

/** Faults, with Nomad's texts: no such job or version, or the name belongs to another one. */
export async function tagVersion(
  context: ServerContext,
  request: TagVersion,
): Promise<{ readonly index: number; readonly tag: JobVersionTag }> {
  const { index, result } = await context.write((draft) => {
    const versions = versionsOf(draft, request);
    const { name, description, version } = request;
    const taken = versions.find((job) => job.VersionTag?.Name === name);
    const wanted = version === null ? versions[0]! : versions.find((job) => job.Version === version);
    if (wanted === undefined) throw refused(`job "${request.id}" version ${version} not found`);
    if (taken !== undefined && taken.Version !== wanted.Version)
      throw refused(`tag "${name}" already exists on a different version of job "${request.id}"`);
    if (wanted.VersionTag === null && versions.filter((job) => job.VersionTag !== null).length >= mostTags)
      throw refused(`job "${request.id}" has ${mostTags} tagged versions already; unset one of them first`);
    const tag = { Name: name, Description: description, TaggedTime: draft.now };
    putTag(draft, wanted, tag);
    return tag;
  });
  return { index, tag: result };
}

export async function untagVersion(
  context: ServerContext,
  request: Pick<TagVersion, 'namespace' | 'id' | 'name'>,
): Promise<{ readonly index: number }> {
  const { index } = await context.write((draft) => {
    const tagged = versionsOf(draft, request).find((job) => job.VersionTag?.Name === request.name);
    if (tagged === undefined) throw refused(`tag "${request.name}" not found on job "${request.id}"`);
    putTag(draft, tagged, null);
    dropOldVersions(draft, jobId(tagged.Namespace, tagged.ID));
  });
  return { index };
}

/** Newest first. */
function versionsOf(draft: Draft, { namespace, id }: Pick<TagVersion, 'namespace' | 'id'>): readonly Job[] {
  const versions = [...draft.by('jobVersions', 'job', jobId(namespace, id))].sort((a, b) => b.Version - a.Version);
  if (versions.length === 0) throw refused(`job "${id}" not found`);
  return versions;
}

function putTag(draft: Draft, job: Job, tag: JobVersionTag | null): void {
  const { Namespace, ID, Version } = job;
  const row = { ...draft.get('jobVersions', jobVersionId(Namespace, ID, Version))!, VersionTag: tag };
  draft.put('jobVersions', { ...row, ModifyIndex: draft.index });
  const current = draft.get('jobs', jobId(Namespace, ID));
  if (current?.Version === Version) draft.put('jobs', { ...current, VersionTag: tag, ModifyIndex: draft.index });
}
