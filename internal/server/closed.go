package server

import "wso2agent/internal/deployment"

// allScopes is the path of the setting that gives every client every scope.
var allScopes = []string{"oauth", "authorize_all_scopes"}

// AllScopesSetting is its name in logs, in a Change and in a Record.
const AllScopesSetting = "oauth.authorize_all_scopes"

// Closed says from what a deployment.toml of IS keeps API subscribers away.
type Closed struct {
	Scopes bool // not every client gets every scope
	SCIM11 bool // SCIM 1.1 accepts no tokens
}

// ReadClosed reads the text of a deployment.toml. The error is a *deployment.Error if the server would refuse the text.
func ReadClosed(text []byte) (c Closed, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return c, err
	}
	entries, err := doc.Elements("resource", "access_control")
	if err != nil {
		return c, err
	}
	all, there := doc.Get(allScopes...)
	c.Scopes = !there || all.Data == false
	if len(entries) == 0 {
		return c, nil
	}
	is := func(data any, key string) bool { v, ok := entries[0].Get(key); return ok && v.Data == data }
	scopes, ok := entries[0].Get("scopes")
	list, isList := scopes.Data.([]any)
	c.SCIM11 = is(scim11, "context") && is("all", "http_method") && is(true, "secure") && ok && isList && len(list) > 0
	return c, nil
}

// scim11 is the context of the entry that closes SCIM 1.1 for tokens.
const scim11 = "(.*)/wso2/scim(.*)"
