package server

import (
	"strings"

	"wso2agent/internal/deployment"
)

// Listener is what IS's deployment.toml says of the server to which IS reports revoked tokens.
type Listener struct {
	Endpoint       string // a URL; empty if only IS knows it
	User, Password string
}

// ReadListener returns the listener by the text of IS's deployment.toml. variable looks up a variable in the environment of IS. known is
// false if there is no such listener, or if only IS knows the account.
func ReadListener(text []byte, variable func(name string) (string, bool)) (l Listener, known bool, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return Listener{}, false, err
	}
	elements, err := doc.Elements("event_listener")
	if err != nil {
		return Listener{}, false, err
	}
	ownUser, ownPassword, ownKnown, err := ReadAdministrator(text, variable)
	if err != nil {
		return Listener{}, false, err
	}
	for _, e := range elements {
		if id, _ := e.Get("id"); id.Data != "token_revocation" {
			continue
		}
		read := func(key string) (text string, known bool) {
			v, _ := e.Get("properties", key)
			value, isText := v.Data.(string)
			name, isVariable := strings.CutPrefix(value, "$env{")
			switch {
			case value == "${admin.username}": // of IS itself
				return ownUser, ownKnown
			case value == "${admin.password}":
				return ownPassword, ownKnown
			case isVariable && strings.HasSuffix(name, "}"):
				return variable(strings.TrimSuffix(name, "}"))
			}
			text, known = ofXML(value)
			return text, known && isText
		}
		user, userKnown := read("username")
		password, passwordKnown := read("password")
		endpoint, endpointKnown := read("notification_endpoint")
		if !endpointKnown {
			endpoint = ""
		}
		return Listener{endpoint, user, password}, userKnown && passwordKnown, nil
	}
	return Listener{}, false, nil
}
