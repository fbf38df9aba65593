/** What a build of Floy's own has made, as opposed to a package from elsewhere. */
export interface OwnBuild {
  /** Where its commands saw the checkout: what names that path is gone after the build. */
  readonly checkout: string;
  /** Told what will be missing on hosts, a line each. */
  note(text: string): void;
}

/** Where the build saw what ships, which may be a part of the checkout. */
export interface ShippedFrom {
  /** Without a slash at its end. */
  readonly root: string;
  /** What lies below is there only while it is built: the checkout, its HOME. */
  readonly passing: string;
  note(text: string): void;
}

/** The way to `path` from the folder of `name`, both relative to one root. */
export function wayFrom(name: string, path: string): string {
  const up = '../'.repeat(name.split('/').length - 1);
  return `${up}${path}` || '.';
}

/** What of an absolute path lies below a folder, undefined where it does not. */
export function below(folder: string, path: string): string | undefined {
  if (path === folder) return '';
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined;
}
