#!/usr/bin/env bash
# The way from two fresh servers to a call with a token of Identity Server, with curl alone: the steps of the
# integration guide that many people copy, with its mistakes put right. It shares nothing with the agent or the
# stand-ins, so that a misreading in one of them is found here.
#
# The servers trust each other already. Set:
#   AM, GATEWAY, IS     addresses, such as https://localhost:9443; IS and AM by the names in their certificates
#   IS_FOR_AM           how API Manager reaches Identity Server, if that is another address
#   AM_CERT, IS_CERT    PEM files of their certificates, which curl holds them to
#   BACKEND             address of the service to publish, which answers GET /ping
#   AM_USER, IS_USER    user:password (admin:admin)
# Ends with 0 and a last line "done", or says at which step what was answered.
set -euo pipefail
: "${AM:?}" "${GATEWAY:?}" "${IS:?}" "${AM_CERT:?}" "${IS_CERT:?}" "${BACKEND:?}"
AM_USER=${AM_USER:-admin:admin} IS_USER=${IS_USER:-admin:admin} IS_FOR_AM=${IS_FOR_AM:-$IS}
PUBLISHER=$AM/api/am/publisher/v4 ADMIN=$AM/api/am/admin/v4 DEVPORTAL=$AM/api/am/devportal/v3
body=$(mktemp)
trap 'rm -f "$body"' EXIT
status=

fail() { printf 'FAILED %s: %s answered %s\n' "$step" "$1" "$status" >&2; exit 1; } # no body: it may hold a secret

step() { step=$1; }

# A fresh Identity Server shows a certificate that has expired, which --cacert would refuse. The key of such a one is
# pinned instead: curl checks the pin whatever else it lets pass.
trust() { # trust CERT: sets the options for curl
  if openssl x509 -checkend 0 -noout -in "$1" >/dev/null; then
    trusted=(--cacert "$1")
  else
    trusted=(--insecure --pinnedpubkey "sha256//$(openssl x509 -pubkey -noout -in "$1" |
      openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)")
  fi
}

request() { # request CERT METHOD URL [curl options]: sets status, and writes the body to the file
  local cert=$1 method=$2 url=$3
  shift 3
  trust "$cert"
  status=$(curl -sS "${trusted[@]}" --max-time 60 -o "$body" -w '%{http_code}' -X "$method" "$@" "$url") || fail "$method $url"
}

want() { # want STATUS CERT METHOD URL [curl options]
  local expected=$1
  shift
  request "$@"
  [[ $status == "$expected" ]] || fail "$2 $3"
}

api() { # api STATUS METHOD URL [JSON]: with the token of the REST APIs
  local expected=$1 method=$2 url=$3
  set -- "${@:4}"
  want "$expected" "$AM_CERT" "$method" "$url" -H "Authorization: Bearer $rest_token" ${1:+-H 'Content-Type: application/json' --data "$1"}
}

field() { jq -er "$1" <"$body" || { status="$status without $1"; fail 'the server'; }; }

until_ok() { # until_ok SECONDS COMMAND...: until the command sets status to 200
  local deadline=$((SECONDS + $1))
  shift
  while "$@"; [[ $status != 200 ]]; do
    ((SECONDS < deadline)) || fail "$*"
    sleep 0.3
  done
}

ok() { printf 'ok %s\n' "$step${1:+: $1}"; }

step 'readiness'
until_ok 180 request "$AM_CERT" GET "$AM/api/am/gateway/v2/server-startup-healthcheck"
until_ok 180 request "$IS_CERT" GET "$IS/oauth2/token/.well-known/openid-configuration"
issuer=$(field .issuer)
ok "issuer $issuer"

step 'client registration'
until_ok 180 request "$AM_CERT" POST "$AM/client-registration/v0.17/register" -u "$AM_USER" -H 'Content-Type: application/json' \
  --data "{\"callbackUrl\":\"https://localhost\",\"clientName\":\"guide\",\"owner\":\"${AM_USER%%:*}\",\"grantType\":\"password refresh_token\",\"saasApp\":true}"
client=$(field .clientId):$(field .clientSecret)
ok

step 'token of the REST APIs'
scopes='apim:admin apim:tier_view apim:api_view apim:api_create apim:api_publish apim:api_manage apim:api_import_export'
scopes+=' apim:api_delete apim:app_manage apim:sub_manage apim:subscribe'
want 200 "$AM_CERT" POST "$AM/oauth2/token" -u "$client" --data-urlencode grant_type=password \
  --data-urlencode "username=${AM_USER%%:*}" --data-urlencode "password=${AM_USER#*:}" --data-urlencode "scope=$scopes"
rest_token=$(field .access_token)
ok

step 'key manager'
manager=$(jq -n --arg is "$IS_FOR_AM" --arg issuer "$issuer" --arg user "${IS_USER%%:*}" --arg password "${IS_USER#*:}" '{
  name: "Guide IS", displayName: "Guide IS", type: "WSO2-IS-7", description: "", enabled: true, issuer: $issuer,
  wellKnownEndpoint: ($is + "/oauth2/token/.well-known/openid-configuration"),
  clientRegistrationEndpoint: ($is + "/api/identity/oauth2/dcr/v1.1/register"),
  introspectionEndpoint: ($is + "/oauth2/introspect"), tokenEndpoint: ($is + "/oauth2/token"),
  displayTokenEndpoint: ($is + "/oauth2/token"), revokeEndpoint: ($is + "/oauth2/revoke"),
  displayRevokeEndpoint: ($is + "/oauth2/revoke"), userInfoEndpoint: ($is + "/scim2/Me"),
  authorizeEndpoint: ($is + "/oauth2/authorize"), scopeManagementEndpoint: ($is + "/api/identity/oauth2/v1.0/scopes"),
  certificates: {type: "JWKS", value: ($is + "/oauth2/jwks")}, consumerKeyClaim: "azp", scopesClaim: "scope",
  availableGrantTypes: ["client_credentials", "password", "refresh_token"], claimMapping: [], tokenValidation: [],
  enableTokenGeneration: true, enableOAuthAppCreation: true, enableMapOAuthConsumerApps: true,
  enableSelfValidationJWT: true, enableTokenEncryption: false, enableTokenHashing: false, tokenType: "DIRECT",
  permissions: {permissionType: "PUBLIC", roles: []},
  additionalProperties: {Username: $user, Password: $password,
    api_resource_management_endpoint: ($is + "/api/server/v1/api-resources"), is7_roles_endpoint: ($is + "/scim2/v2/Roles")}}')
api 201 POST "$ADMIN/key-managers" "$manager"
manager_id=$(field .id)
ok

step 'API'
definition=$(jq -n --arg url "$BACKEND" '{name: "Guide API", version: "1.0.0", context: "/guide", policies: ["Unlimited"],
  endpointConfig: {endpoint_type: "http", production_endpoints: {url: $url}, sandbox_endpoints: {url: $url}},
  operations: [{target: "/*", verb: "GET", authType: "Application & Application User", throttlingPolicy: "Unlimited"}]}')
api 201 POST "$PUBLISHER/apis" "$definition"
api_id=$(field .id)
ok

step 'revision'
api 201 POST "$PUBLISHER/apis/$api_id/revisions" '{"description":"of the guide"}'
revision=$(field .id)
ok

step 'deployment'
api 201 POST "$PUBLISHER/apis/$api_id/deploy-revision?revisionId=$revision" '[{"name":"Default","vhost":"localhost","displayOnDevportal":true}]'
ok

step 'publishing'
api 200 POST "$PUBLISHER/apis/change-lifecycle?apiId=$api_id&action=Publish"
[[ $(field .lifecycleState.state) == Published ]] || fail 'the lifecycle'
ok

step 'application'
api 201 POST "$DEVPORTAL/applications" '{"name":"Guide App","throttlingPolicy":"Unlimited","description":"","tokenType":"JWT"}'
application=$(field .applicationId)
ok

step 'subscription'
api 201 POST "$DEVPORTAL/subscriptions" "{\"applicationId\":\"$application\",\"apiId\":\"$api_id\",\"throttlingPolicy\":\"Unlimited\"}"
ok

# A key manager is usable a moment later; a try before that leaves a row behind, which is in the way of the next.
step 'keys'
generate() {
  request "$AM_CERT" POST "$DEVPORTAL/applications/$application/generate-keys" -H "Authorization: Bearer $rest_token" \
    -H 'Content-Type: application/json' --data "{\"keyType\":\"PRODUCTION\",\"keyManager\":\"$manager_id\",
      \"grantTypesToBeSupported\":[\"client_credentials\"],\"callbackUrl\":\"\",\"scopes\":[\"default\"],
      \"validityTime\":\"3600\",\"additionalProperties\":{}}"
  [[ $status == 200 ]] && return
  api 200 GET "$DEVPORTAL/applications/$application/oauth-keys"
  for mapping in $(jq -r '.list[] | select(.consumerKey == null) | .keyMappingId' <"$body"); do
    api 200 POST "$DEVPORTAL/applications/$application/oauth-keys/$mapping/clean-up"
  done
  status=0
}
until_ok 30 generate
keys=$(field .consumerKey):$(field .consumerSecret)
ok

step 'token of Identity Server'
want 200 "$IS_CERT" POST "$IS/oauth2/token" -u "$keys" --data-urlencode grant_type=client_credentials
token=$(field .access_token)
[[ $(cut -d. -f2 <<<"$token" | tr '_-' '/+' | base64 -d 2>/dev/null | jq -r .iss) == "$issuer" ]] || fail 'the issuer of the token'
ok

step 'call'
nonce=$RANDOM$RANDOM
until_ok 60 request "$AM_CERT" GET "$GATEWAY/guide/1.0.0/ping?nonce=$nonce" -H "Authorization: Bearer $token"
[[ $(field .nonce) == "$nonce" ]] || fail 'the backend'
ok

step 'call without a token'
want 401 "$AM_CERT" GET "$GATEWAY/guide/1.0.0/ping"
[[ $(field .code) == 900902 ]] || fail 'the gateway'
ok
echo done
