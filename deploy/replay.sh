#!/bin/sh
# Sends events again: reads upload ids, one a line, and asks the Worker at $1 to redeliver each. Says what came of each; fails when one
# could not be asked.
#
# Where AUTH is "token", an upload is only there for whoever has a token for it. With $DOWNLOAD_SECRET, as the Worker has it, the upload's
# own token is made for each: the one that its creation was answered with, good for this upload whoever's it is. Otherwise put a
# token of yours behind each id, that of the upload's owner.
set -u
base=${1:?usage: replay.sh https://upload.example.com < ids}
failed=0

# The token of the upload $1: `qut_` and the HMAC-SHA-256 of two lines, with the first of the secrets.
token_for() {
  mac=$(printf 'upload-token\n%s' "$1" | openssl dgst -sha256 -hmac "${DOWNLOAD_SECRET%%[ ,]*}" -binary | openssl base64 -A)
  printf 'qut_%s' "$mac" | tr '+/' '-_' | tr -d '='
}

while read -r id token; do
  [ -n "$id" ] || continue
  [ -n "$token" ] || [ -z "${DOWNLOAD_SECRET:-}" ] || token=$(token_for "$id")
  status=$(curl -s -o /dev/null -w '%{http_code}' --max-time 30 -X POST ${token:+-H "Authorization: Bearer $token"} "$base/upload/$id/redeliver")
  case $status in
    202) echo "$id on its way again" ;;
    409) echo "$id has nothing to send, or is on its way" ;;
    410) echo "$id is deleted, or taken by the origin" ;;
    429) echo "$id was sent again a moment ago" ;;
    404) echo "$id is forgotten, or its token is for another upload" ;;
    401 | 403) echo "$id needs a token: set DOWNLOAD_SECRET"; failed=1 ;;
    *) echo "$id could not be asked: $status"; failed=1 ;;
  esac
done
exit $failed
