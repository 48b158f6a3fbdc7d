package bootstrap

import (
	"encoding/json"

	"wso2agent/internal/wso2"
)

// Result is what a run leads to: all that a client of the APIs needs.
type Result struct {
	Application    string
	ApplicationID  string
	ConsumerKey    string
	ConsumerSecret wso2.Secret
	KeyMappingID   string // of the keys, for [Settings] of the next run
	KeyManager     string // its name
	TokenEndpoint  string
	Issuer         string // what "iss" must be in its tokens; empty where API-M does not tell
	JWKS           string // address of the keys that sign its tokens; empty where API-M does not tell
	APIs           []PublishedAPI
	Changes        int // how many changes the run made on the servers, proving not counted
}

// PublishedAPI is an API on the server.
type PublishedAPI struct {
	Name       string
	Version    string
	Context    string // without the version
	ID         string
	Path       string // where the gateway serves it: context and version
	Subscribed bool   // the application may call it
}

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
