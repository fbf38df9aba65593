import { assign } from './assign.js';
import { REFUSE } from './host-lock.js';

/** Receives a file beside its place and renames it when its sha256 is right. Mark: `uploaded`. */
export function receiveFile(
  path: string,
  file: { readonly sha256: string; readonly size: number },
): string {
  return `${REFUSE}
${assign({ path, sha256: file.sha256, size: file.size })}
mkdir -p "$(dirname "$path")" || refuse folder "$(dirname "$path") could not be made"
[ ! -d "$path" ] || refuse folder "$path is a folder"
part=$path.floy.$$
( umask 077; : >"$part" ) 2>/dev/null || refuse folder "$part cannot be written"
floy_ask
sum=$(head -c "$size" | tee "$part" | sha256sum)
if [ "\${sum%% *}" = "$sha256" ] && [ "$(wc -c <"$part")" -eq "$size" ] && chmod 644 "$part" && mv -f "$part" "$path"; then
  floy_mark uploaded
  exit 0
fi
rm -f "$part"
refuse transfer "what arrived is not $sha256"`;
}
