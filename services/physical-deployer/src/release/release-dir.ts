/** So many characters of a version fit into the name of a folder beside the release's id. */
const LONGEST_VERSION = 170;

/**
 * The folder of a release below `releases/`: the version for people, the id to be unique. A tag of
 * another script may leave nothing that a folder's name should hold: then the id is the name.
 */
export function releaseDirOf(version: string, releaseId: string): string {
  const named = version.replace(/[^A-Za-z0-9._+-]/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return named === '' ? releaseId : `${named.slice(0, LONGEST_VERSION)}-${releaseId}`;
}

/** The release that a folder belongs to; null for a folder that Floy has not named. */
export function releaseIn(dir: string): string | null {
  return /(?:^|-)(rel_[0-9a-z]{26})$/.exec(dir)?.[1] ?? null;
}
