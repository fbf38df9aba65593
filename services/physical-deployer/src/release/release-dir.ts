/** The folder of a release below `releases/`: the version for people, the id to be unique. */
export function releaseDirOf(version: string, releaseId: string): string {
  return `${version.replace(/[^A-Za-z0-9._+-]/g, '-').replace(/^[^A-Za-z0-9]+/, '')}-${releaseId}`;
}

/** The release that a folder belongs to; null for a folder that Floy has not named. */
export function releaseIn(dir: string): string | null {
  return /(?:^|-)(rel_[0-9a-z]{26})$/.exec(dir)?.[1] ?? null;
}
