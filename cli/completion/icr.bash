# bash completion for icr. The program itself knows what may follow, names of the cluster file included.
_icr() {
  local options=() line="" word i=1
  while [ "$i" -lt "$COMP_CWORD" ]; do
    word=${COMP_WORDS[i]}
    case $line$word in
      --cluster | --secret-key | --chassis | --timeout)
        options+=("$word" "${COMP_WORDS[i + 1]}")
        i=$((i + 1))
        ;;
      *) line+="$word " ;;
    esac
    i=$((i + 1))
  done
  local current=${COMP_WORDS[COMP_CWORD]}
  if [ -z "$line" ]; then
    case ${COMP_WORDS[COMP_CWORD - 1]} in
      --cluster | --secret-key)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    if [[ $current == -* ]]; then
      mapfile -t COMPREPLY < <(compgen -W "--cluster --secret-key --chassis --timeout --help" -- "$current")
      return
    fi
  fi
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" "${options[@]}" --complete "$line$current" 2>/dev/null | cut -f 1)
}
complete -o default -F _icr icr
