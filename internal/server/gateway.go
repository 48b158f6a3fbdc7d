package server

import "strings"

// gateway are the settings with which the gateway of API-M loads a new TLS certificate while it runs. Names and defaults are
// those of product-apim: axis2.xml.j2 and default.json of API-M 4.4 to 4.7.
//
// The certificates of the gateway come from listenerprofiles.xml. It looks every ssl_profile_interval milliseconds, at least
// 60000, whether that file is newer. [….key_store] is the keystore with which the listener itself starts, and which it opens at
// each look. By default it is that of [keystore.tls]: if the gateway cannot read it at one look, it does not look again until the
// next start. The primary keystore does not change. References follow its settings, and keep its password in one place.
func (n Needs) gateway() []need {
	listener := []string{"transport", "passthru_https", "listener"}
	at := func(keys ...string) []string { return append(listener[:3:3], keys...) }
	store := func(key, data string) want {
		return want{path: at("key_store", key), data: data, refers: true, secret: strings.HasSuffix(key, "password")} // a person's may be
	}
	return []need{
		{still: n.KeepReload, settings: []want{{path: at("ssl_profile_interval"), data: "60000"}}},
		{still: n.KeepReload, whole: true, settings: []want{
			store("location", "repository/resources/security/$ref{keystore.primary.file_name}"), store("type", "$ref{keystore.primary.type}"),
			store("password", "$ref{keystore.primary.password}"), store("key_password", "$ref{keystore.primary.key_password}")}},
	}
}
