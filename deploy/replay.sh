#!/bin/sh
# Sends events again: reads upload ids, one a line, and asks the Worker at $1 to redeliver each. $TOKEN, where it is set, is who
# asks. Says what came of each; fails when one could not be asked.
set -u
base=${1:?usage: replay.sh https://upload.example.com < ids}
failed=0
while read -r id; do
  [ -n "$id" ] || continue
  status=$(curl -s -o /dev/null -w '%{http_code}' --max-time 30 -X POST ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "$base/upload/$id/redeliver")
  case $status in
    202) echo "$id on its way again" ;;
    409) echo "$id has nothing to send: delivered, or on its way" ;;
    404) echo "$id is forgotten" ;;
    *) echo "$id could not be asked: $status"; failed=1 ;;
  esac
done
exit $failed
