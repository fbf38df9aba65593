import { VerdictError } from '@floy/domain';

/**
 * The process around every contained command, of the command's own user; it answers the exit
 * status. Arguments: the folder to run in, then the command's words.
 *
 * It says `up` on descriptor 3 and waits for the environment there. Two things depend on that.
 * The programs before it run as root and must not see an environment that others may choose
 * (`LD_PRELOAD`), nor hold secrets they do not need. And when the runner dies before the signal
 * that follows its death was asked for, no environment comes, and the command never starts.
 */
export const INIT_SCRIPT = `
umask 022
{ echo 500 >/proc/self/oom_score_adj; } 2>/dev/null
cd -- "$1" || exit 1
shift
echo up >&3
floy_ready=
eval "$(cat <&3)"
[ "$floy_ready" ] || exit 1
unset floy_ready OLDPWD
exec 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
"$@"
exit $?
`;

/** What the init script evaluates: the environment, and that it is all there. */
export function environmentScript(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new VerdictError(
        `${JSON.stringify(name)} cannot be the name of an environment variable`,
      );
    }
    if (value.includes('\0')) {
      throw new VerdictError(`the environment variable ${name} holds a NUL character`);
    }
    return `export ${name}=${quoted(value)}\n`;
  });
  return `${lines.join('')}floy_ready=1\n`;
}

/** One word for a POSIX shell, whatever it holds. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
