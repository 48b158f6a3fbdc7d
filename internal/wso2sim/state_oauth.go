package wso2sim

import "time"

// clientRecord is a client as it is kept.
type clientRecord struct {
	Secret, Name, DisplayName, TokenType, Audience string
	Grants, Redirects                              []string
	Stored                                         bool
	Settings                                       *clientSettings // absent in a state of an earlier stand-in
	More                                           []clientSecret  `json:",omitempty"`
}

// tokenRecord is a token as it is kept, under what its client holds.
type tokenRecord struct {
	JTI, Client, User, Grant, Refresh string
	Scopes                            []string
	Issued, Expires                   time.Time
	Revoked, JWT                      bool
}

// describe is what is kept of a client, a token or the user.
func (o *oauthServer) describe(r record) any {
	switch r.kind {
	case "user":
		return o.userID
	case "client":
		if c := o.clients[r.id]; c != nil {
			return clientRecord{c.secret, c.name, c.displayName, c.tokenType, c.audience, c.grants, c.redirects, c.stored, &c.settings, c.more}
		}
	case "token":
		if t := o.tokens[r.id]; t != nil {
			return tokenRecord{t.jti, t.client, t.user, t.grant, t.refresh, t.scopes, t.issued, t.expires, t.revoked, t.jwt}
		}
	}
	return nil
}

// restore forgets everything and takes what was kept. Tokens that have expired are left out.
func (o *oauthServer) restore(held map[string][]entry) error {
	o.clients, o.tokens = map[string]*oauthClient{}, map[string]*accessToken{}
	o.refresh, o.latest = map[string]*accessToken{}, map[string]*accessToken{}
	o.names, o.owned = map[string]*oauthClient{}, map[string]map[string]*accessToken{}
	err := decode(held, "user", func(_ string, id string) { o.userID = id })
	if err != nil {
		return err
	}
	err = decode(held, "client", func(id string, c clientRecord) {
		o.clients[id] = &oauthClient{
			id: id, secret: c.Secret, name: c.Name, displayName: c.DisplayName, tokenType: c.TokenType, audience: c.Audience,
			grants: c.Grants, redirects: c.Redirects, stored: c.Stored, settings: defaultClientSettings(), more: c.More,
		}
		if c.Settings != nil {
			o.clients[id].settings = *c.Settings
		}
		o.names[c.Name] = o.clients[id]
	})
	if err != nil {
		return err
	}
	now := time.Now()
	return decode(held, "token", func(value string, r tokenRecord) {
		if !now.Before(r.Expires) {
			return
		}
		t := &accessToken{
			value: value, jti: r.JTI, client: r.Client, user: r.User, grant: r.Grant, refresh: r.Refresh, scopes: r.Scopes,
			issued: r.Issued, expires: r.Expires, revoked: r.Revoked, jwt: r.JWT,
		}
		o.tokens[value] = t
		o.own(t)
		if t.revoked {
			return
		}
		if t.refresh != "" {
			o.refresh[t.refresh] = t
		}
		if old := o.latest[t.same()]; old == nil || old.issued.Before(t.issued) {
			o.latest[t.same()] = t
		}
	})
}
