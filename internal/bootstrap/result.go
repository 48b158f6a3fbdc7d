package bootstrap

import (
	"time"

	"wso2agent/internal/keysfile"
	"wso2agent/internal/wso2"
)

// Result is the result of a run: everything that a client of the APIs needs.
type Result struct {
	Application    string
	ApplicationID  string
	ConsumerKey    string
	ConsumerSecret wso2.Secret
	NewKeys        bool   // the run made them, so nobody has a token of them yet
	KeyMappingID   string // of the keys, for [Settings] of the next run
	KeyManager     string // its name
	KeyManagerID   string
	TokenEndpoint  string
	Issuer         string // what "iss" must be in its tokens; empty if API-M does not show it
	JWKS           string // address of the keys that sign its tokens; empty if API-M does not show it
	APIs           []PublishedAPI
	LeftOver       []APIName // of [Settings].Known: on the server, and no longer in the file
	OtherKeys      []string  // other key managers of which the application has keys
	Changes        int       // number of changes that the run made on the servers, without those of the verification
}

// PublishedAPI is an API on the server.
type PublishedAPI struct {
	Name       string
	Version    string
	Context    string // without the version
	ID         string
	Path       string // at which the gateway serves it: context and version
	Subscribed bool   // the application may call it
	Made       bool   // the run made it
	Changed    bool   // the gateway may still have an earlier revision, or none: see [freshRevision]
	BackendURL string // to which the gateway must send calls
	Operations []wso2.Operation
}

// freshRevision is the age up to which a deployed revision makes its API count as changed, even if this run has not changed it.
// The run that deployed it may have been killed before the verification, or may have found that the API does not work.
const freshRevision = time.Hour

// EncodeKeys returns the content of application-keys.json. It contains the consumer secret in clear: write it with mode 0600.
func EncodeKeys(r Result) []byte { return keysfile.JSON(r.keys()) }

// keys returns the keys of the application, for the files of its clients.
func (r Result) keys() []keysfile.Key {
	return []keysfile.Key{{
		Application: r.Application, ApplicationID: r.ApplicationID, Type: wso2.Production, KeyManager: r.KeyManager,
		ConsumerKey: r.ConsumerKey, ConsumerSecret: r.ConsumerSecret, TokenEndpoint: r.TokenEndpoint, MappingID: r.KeyMappingID,
	}}
}

// KeyMappingID reads the id for [Settings] from the content of an earlier application-keys.json. It returns "" if the file is
// missing, not readable, or older than the field.
func KeyMappingID(keys []byte) string { return firstKey(keys).MappingID }

// firstKey reads the key of the first application from the content of an application-keys.json. It returns the zero value if the
// content is not readable.
func firstKey(keys []byte) keysfile.Key {
	all, _ := keysfile.Decode(keys)
	return keysfile.First(all)
}
