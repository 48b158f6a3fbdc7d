// Package keysfile is the one definition of the files in which the agent hands the keys of applications to their clients: JSON,
// variables for a shell or a container, and a manifest of a Kubernetes Secret. All of them have the secrets in clear.
package keysfile

import (
	"encoding/json"
	"fmt"

	"wso2agent/internal/wso2"
)

// Key is a client of an application at a key manager.
type Key struct {
	Application, ApplicationID string
	Type                       string // PRODUCTION or SANDBOX
	KeyManager                 string // its name
	ConsumerKey                string
	ConsumerSecret             wso2.Secret // empty: the client needs none
	TokenEndpoint              string      // from which clients get tokens
	MappingID                  string      // of API-M's row of the key; may be empty
}

const (
	production = wso2.Production
	sandbox    = "SANDBOX"
)

// document is the JSON of KEYS_FILE. Scripts of users read it, so fields may be added and never renamed. Its own application is
// the first one of the list, as it was when there was only one.
type document struct {
	pair
	Applications []application `json:"applications"`
}

// application is an application with its keys. Keys has all of them, also those that pair shows.
type application struct {
	pair
	Keys []typed `json:"keys"`
}

// pair is what most clients need of an application: its first key of each type.
type pair struct {
	Application   string  `json:"application"`
	ApplicationID string  `json:"applicationId"`
	Production    *client `json:"production,omitempty"`
	Sandbox       *client `json:"sandbox,omitempty"`
}

type typed struct {
	Type string `json:"type"`
	client
}

type client struct {
	ConsumerKey    string `json:"consumerKey"`
	ConsumerSecret string `json:"consumerSecret"`
	KeyManager     string `json:"keyManager"`
	TokenEndpoint  string `json:"tokenEndpoint"`
	KeyMappingID   string `json:"keyMappingId,omitempty"`
}

// JSON returns the content of KEYS_FILE. Applications and their keys stand in the order of keys.
func JSON(keys []Key) []byte {
	doc := document{Applications: []application{}}
	for _, own := range byApplication(keys) {
		app := application{pair: pairOf(own)}
		for _, k := range own {
			app.Keys = append(app.Keys, typed{k.Type, *clientOf(k)})
		}
		doc.Applications = append(doc.Applications, app)
	}
	if len(doc.Applications) > 0 {
		doc.pair = doc.Applications[0].pair
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic(err) // cannot happen: all fields are texts
	}
	return append(text, '\n')
}

// byApplication returns the keys of each application, in the order of their first keys.
func byApplication(keys []Key) (groups [][]Key) {
	index := map[string]int{}
	for _, k := range keys {
		i, known := index[k.Application]
		if !known {
			i = len(groups)
			index[k.Application] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], k)
	}
	return groups
}

// pairOf returns the first key of each type. The keys are those of one application.
func pairOf(own []Key) pair {
	p := pair{Application: own[0].Application, ApplicationID: own[0].ApplicationID}
	for _, k := range own {
		switch {
		case k.Type == production && p.Production == nil:
			p.Production = clientOf(k)
		case k.Type == sandbox && p.Sandbox == nil:
			p.Sandbox = clientOf(k)
		}
	}
	return p
}

func clientOf(k Key) *client {
	return &client{k.ConsumerKey, string(k.ConsumerSecret), k.KeyManager, k.TokenEndpoint, k.MappingID}
}

// Decode reads the content of KEYS_FILE, also that of an agent that knew only one application.
func Decode(data []byte) (keys []Key, err error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil { // names fields, and shows no value of a text
		return nil, fmt.Errorf("it is not the JSON that the agent writes: %w", err)
	}
	for _, app := range doc.Applications {
		for _, k := range app.Keys {
			keys = append(keys, app.key(k.Type, k.client))
		}
	}
	if doc.Applications != nil {
		return keys, nil
	}
	for _, one := range []struct {
		kind string
		*client
	}{{production, doc.Production}, {sandbox, doc.Sandbox}} {
		if one.client != nil {
			keys = append(keys, doc.key(one.kind, *one.client))
		}
	}
	return keys, nil
}

func (p pair) key(kind string, c client) Key {
	return Key{p.Application, p.ApplicationID, kind, c.KeyManager, c.ConsumerKey, wso2.Secret(c.ConsumerSecret), c.TokenEndpoint, c.KeyMappingID}
}

// First returns the key that the file shows as its own "production": that of the first application. It returns the zero value if
// that application has none.
func First(keys []Key) Key {
	for _, k := range keys {
		if k.Application == keys[0].Application && k.Type == production {
			return k
		}
	}
	return Key{}
}
