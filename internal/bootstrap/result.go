package bootstrap

import (
	"encoding/json"
	"time"

	"wso2agent/internal/wso2"
)

// Result is what a run leads to: all that a client of the APIs needs.
type Result struct {
	Application    string
	ApplicationID  string
	ConsumerKey    string
	ConsumerSecret wso2.Secret
	NewKeys        bool   // the run made them, so that nobody has a token of theirs yet
	KeyMappingID   string // of the keys, for [Settings] of the next run
	KeyManager     string // its name
	KeyManagerID   string
	TokenEndpoint  string
	Issuer         string // what "iss" must be in its tokens; empty where API-M does not tell
	JWKS           string // address of the keys that sign its tokens; empty where API-M does not tell
	APIs           []PublishedAPI
	LeftOver       []APIName // of [Settings].Known: on the server, and no longer in the file
	OtherKeys      []string  // key managers that the application also has keys of
	Changes        int       // how many changes the run made on the servers, proving not counted
}

// PublishedAPI is an API on the server.
type PublishedAPI struct {
	Name       string
	Version    string
	Context    string // without the version
	ID         string
	Path       string // where the gateway serves it: context and version
	Subscribed bool   // the application may call it
	Made       bool   // the run made it
	Changed    bool   // the gateway may still have an earlier revision, or none: see [freshRevision]
	BackendURL string // where the gateway has to send calls
	Operations []wso2.Operation
}

// freshRevision is how old the deployed revision of an API may be for the API to count as changed, though this run has not
// changed it: the run that made it may have been killed before it was verified, or have found that it does not work.
const freshRevision = time.Hour

// keysFile is the JSON of application-keys.json. People's scripts read it: fields may be added, never renamed.
type keysFile struct {
	Application   string     `json:"application"`
	ApplicationID string     `json:"applicationId"`
	Production    clientKeys `json:"production"`
}

type clientKeys struct {
	ConsumerKey    string `json:"consumerKey"`
	ConsumerSecret string `json:"consumerSecret"`
	KeyManager     string `json:"keyManager"`
	TokenEndpoint  string `json:"tokenEndpoint"`
	KeyMappingID   string `json:"keyMappingId,omitempty"`
}

// EncodeKeys makes the content of application-keys.json. It holds the consumer secret in clear: write it with mode 0600.
func EncodeKeys(r Result) []byte {
	text, err := json.MarshalIndent(keysFile{
		Application:   r.Application,
		ApplicationID: r.ApplicationID,
		Production: clientKeys{
			ConsumerKey:    r.ConsumerKey,
			ConsumerSecret: string(r.ConsumerSecret),
			KeyManager:     r.KeyManager,
			TokenEndpoint:  r.TokenEndpoint,
			KeyMappingID:   r.KeyMappingID,
		},
	}, "", "  ")
	if err != nil {
		panic(err) // texts only: there is nothing in it that JSON cannot hold
	}
	return append(text, '\n')
}

// KeyMappingID reads the id that [Settings] wants from the content of an earlier application-keys.json; "" where the
// file is not there, not readable or older than the field.
func KeyMappingID(keys []byte) string {
	var f keysFile
	if json.Unmarshal(keys, &f) != nil {
		return ""
	}
	return f.Production.KeyMappingID
}
