#!/bin/sh
# Sends events again: reads upload ids, one a line, and asks the Worker at $1 to redeliver each. Says what came of each; fails when one
# could not be asked.
#
# Where AUTH is "token", an upload is only there for whoever has a token for it. With $TOKEN_SECRETS, as the Worker has it, a token is
# made for each upload, good for five minutes and for nothing else; with other keys, put a token of yours behind each id.
set -u
base=${1:?usage: replay.sh https://upload.example.com < ids}
failed=0

base64url() {
  openssl base64 -A | tr '+/' '-_' | tr -d '='
}

# A token for the upload $1: HS256 (RFC 7515) with the first of the secrets.
token_for() {
  first=${TOKEN_SECRETS%%[ ,]*}
  header=$(printf '{"alg":"HS256","kid":"%s"}' "${first%%:*}" | base64url)
  expires=$(($(date +%s) + 300))
  claims=$(printf '{"sub":"replay","aud":"%s","exp":%s,"quayside":{"upload":"%s"}}' "${TOKEN_AUDIENCE:-quayside}" "$expires" "$1" | base64url)
  signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -hmac "${first#*:}" -binary | base64url)
  printf '%s.%s.%s' "$header" "$claims" "$signature"
}

while read -r id token; do
  [ -n "$id" ] || continue
  [ -n "$token" ] || [ -z "${TOKEN_SECRETS:-}" ] || token=$(token_for "$id")
  status=$(curl -s -o /dev/null -w '%{http_code}' --max-time 30 -X POST ${token:+-H "Authorization: Bearer $token"} "$base/upload/$id/redeliver")
  case $status in
    202) echo "$id on its way again" ;;
    409) echo "$id has nothing to send, or is on its way" ;;
    410) echo "$id is deleted, or taken by the origin" ;;
    429) echo "$id was sent again a moment ago" ;;
    404) echo "$id is forgotten, or its token is for another upload" ;;
    401 | 403) echo "$id needs a token: set TOKEN_SECRETS"; failed=1 ;;
    *) echo "$id could not be asked: $status"; failed=1 ;;
  esac
done
exit $failed
