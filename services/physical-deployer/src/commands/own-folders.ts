/**
 * `own NAME…` refuses folders that others could replace or write to while Floy acts in them, which
 * is with the rights of root on most hosts. Each has to be a folder of the present one, no link,
 * that belongs to root or to the user Floy logs in as. The present folder, `.`, is looked at too: in
 * one that nobody else can write to, what was looked at stays what it was. A group may write where
 * it is the user's own and there is no access list, whose users the same letter stands for. `.floy` holds secrets and is open to nobody.
 */
export const OWN_FOLDERS = `own() {
  while read -r o_mode o_links o_user o_rest; do
    o_name=\${o_rest%% -> *}
    o_name=\${o_name##* }
    case $o_name in .) o_path=$deploy_path ;; *) o_path=$deploy_path/$o_name ;; esac
    case $o_mode in d*) ;; *) refuse folder "$o_path is a link or a file, and not a folder" ;; esac
    [ "$o_user" = 0 ] || [ -O "$o_name" ] || refuse folder "$o_path belongs to the user $o_user, who could lead Floy elsewhere: give it to root or to the user that Floy logs in as, or log in as its owner"
    case $o_name.$o_mode in
      *.d???????w*) refuse folder "$o_path can be written by everybody (chmod o-w)" ;;
      .floy.d???------* | .floy.d???--S---*) ;;
      *.d????w*+) refuse folder "$o_path can be written by others by its access list (setfacl -b)" ;;
      .floy.*) refuse folder "$o_path can be entered by others (chmod 700)" ;;
      *.d????w*) [ -G "$o_name" ] || refuse folder "$o_path can be written by its group (chmod g-w)" ;;
    esac
  done <<FLOY_OWN
$(ls -ldn "$@")
FLOY_OWN
}`;

/** What a program said last behind its last colon, which is the reason: `Permission denied`. */
export const WHY = '${why##*: }';

/**
 * Makes what is missing in a place on a host, and goes to its `.floy`. The way there is gone once:
 * from then on the folder itself is held, wherever its name leads, and all paths begin at it.
 */
export const ENTER_PLACE = `umask 022
[ -d "$deploy_path" ] || why=$(mkdir -p "$deploy_path" 2>&1) || refuse folder "$deploy_path could not be made: ${WHY}"
cd -P "$deploy_path" || refuse folder "$deploy_path cannot be entered"
umask 077
[ -d .floy ] || why=$(mkdir .floy 2>&1) || refuse folder "$deploy_path/.floy could not be made: ${WHY}"
if [ -e releases ]; then own . .floy releases; else own . .floy; fi
cd -P .floy && [ -w . ] || refuse folder "$deploy_path/.floy cannot be written"
missing=
for folder in steps env made incoming; do [ -d "$folder" ] || missing="$missing $folder"; done
[ -z "$missing" ] || why=$(mkdir $missing 2>&1) || refuse folder "$deploy_path/.floy:$missing could not be made: ${WHY}"`;

/**
 * Goes to a place only to look, after the same look at who may write there: what lies in `.floy` is
 * believed, and the environment files there are carried out. Ends the script where there is no `.floy`.
 */
export const LOOK_INTO_PLACE = `${OWN_FOLDERS}
cd -P "$deploy_path" 2>/dev/null && [ -d .floy ] || exit 0
own . .floy`;
