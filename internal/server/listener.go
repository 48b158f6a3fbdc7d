package server

import (
	"strings"

	"wso2agent/internal/deployment"
)

// ListenerAccount returns the account of API-M with which IS reports revoked tokens, by the text of IS's deployment.toml. variable looks
// up a variable in the environment of IS. known is false if there is no such listener, or if only IS knows the account.
func ListenerAccount(text []byte, variable func(name string) (string, bool)) (user, password string, known bool, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return "", "", false, err
	}
	elements, err := doc.Elements("event_listener")
	if err != nil {
		return "", "", false, err
	}
	ownUser, ownPassword, ownKnown, err := ReadAdministrator(text, variable)
	if err != nil {
		return "", "", false, err
	}
	for _, e := range elements {
		if id, _ := e.Get("id"); id.Data != "token_revocation" {
			continue
		}
		known = true
		read := func(key string) string {
			v, _ := e.Get("properties", key)
			value, isText := v.Data.(string)
			switch name, isVariable := strings.CutPrefix(value, "$env{"); {
			case value == "${admin.username}" || value == "${admin.password}": // of IS itself
				known = known && ownKnown
				if value == "${admin.username}" {
					return ownUser
				}
				return ownPassword
			case isVariable && strings.HasSuffix(name, "}"):
				value, isText = variable(strings.TrimSuffix(name, "}"))
				known = known && isText
				return value
			}
			out, ok := ofXML(value)
			known = known && ok && isText
			return out
		}
		user, password = read("username"), read("password")
		return user, password, known, nil
	}
	return "", "", false, nil
}
