package bootstrap

import (
	"strings"
	"time"

	"wso2agent/internal/keysfile"
	"wso2agent/internal/wso2"
)

// Result is the result of a run: everything that a client of the APIs needs.
type Result struct {
	Application    string
	ApplicationID  string
	ConsumerKey    string // empty: the file names no key with which a client gets tokens for itself
	ConsumerSecret wso2.Secret
	NewKeys        bool   // the run made them, so nobody has a token of them yet
	KeyManager     string // its name
	KeyManagerID   string
	TokenEndpoint  string
	Issuer         string // what "iss" must be in its tokens; empty if API-M does not show it
	JWKS           string // address of the keys that sign its tokens; empty if API-M does not show it
	APIs           []PublishedAPI
	LeftOver       []APIName // of [Settings].Known: on the server, and no longer in the file
	OtherKeys      []string  // other key managers of which the application has keys
	Whole          bool      // the run has read every API, also one that has not changed since an earlier run
	Changes        int       // number of changes that the run made on the servers, without those of the verification
}

// PublishedAPI is an API on the server.
type PublishedAPI struct {
	Name       string
	Version    string
	ID         string
	Path       string // at which the gateway serves it: context and version
	Subscribed bool   // the application may call it
	Made       bool   // the run made it
	Changed    bool   // the gateway may still have an earlier revision, or none: see [FreshRevision]
	BackendURL string // to which the gateway must send calls; empty if it chooses one of several
	Policy     string // of its subscriptions: one that the API offers; empty: it needs none
	OnlyKnown  bool   // a call with a token of the key manager does not reach a backend
	Operations []wso2.Operation
}

// FreshRevision is the age up to which a deployed revision makes its API count as changed, even if this run has not changed it.
// The run that deployed it may have been killed before the verification, or may have found that the API does not work.
const FreshRevision = time.Hour

// firstKey reads the key of the first application from the content of an application-keys.json. It returns the zero value if the
// content is not readable.
func firstKey(keys []byte) keysfile.Key {
	all, _ := keysfile.Decode(keys)
	return keysfile.First(all)
}

// GatewayPath returns the path at which the gateway serves an API. The version follows the context, unless the context has a place for it.
func GatewayPath(context, version string) string {
	if strings.Contains(context, "{version}") {
		return strings.ReplaceAll(context, "{version}", version)
	}
	return context + "/" + version
}
