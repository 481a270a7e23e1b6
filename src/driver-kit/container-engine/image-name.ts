/** Names of images: `[registry[:port]/]path[:tag][@digest]`. */

export interface ImageName {
  /** Host of the registry: `"docker.io"` where the name has none. */
  readonly registry: string;
  /** What is pulled: the name without tag and digest. */
  readonly repository: string;
  /** `"latest"` where there is neither tag nor digest; `""` with a digest alone. */
  readonly tag: string;
  /** `"sha256:…"`, or `""`. */
  readonly digest: string;
}

export function parseImageName(text: string): ImageName {
  const name = text.replace(/^(?:docker|https?):\/\//, '');
  const [withTag = '', digest = ''] = name.split('@', 2);
  const slash = withTag.lastIndexOf('/');
  const colon = withTag.indexOf(':', slash + 1);
  const repository = colon < 0 ? withTag : withTag.slice(0, colon);
  const tag = colon < 0 ? (digest === '' ? 'latest' : '') : withTag.slice(colon + 1);
  const [first = '', ...others] = repository.split('/');
  const hasHost = others.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return { registry: hasHost ? first : 'docker.io', repository, tag, digest };
}

/** What the engine is asked for: with tag or digest. */
export function referenceOf({ repository, tag, digest }: ImageName): string {
  return digest === '' ? `${repository}:${tag}` : `${repository}@${digest}`;
}
