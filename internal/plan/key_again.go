package plan

import (
	"strconv"

	"wso2agent/internal/desired"
)

// KeyLike returns a key with the settings of one that exists, as an entry of GET oauth-keys shows it. kind is the type of its key manager.
// Its client is another one: so the result has no client_id. whole is false if clients of this type may have settings that the result lacks.
func KeyLike(have Object, kind string) (key desired.Key, whole bool) {
	key = desired.Key{
		Type: given(textAt(have, "keyType", "")), KeyManager: given(textAt(have, "keyManager", "")),
		GrantTypes: givenList(textsAt(have, "supportedGrantTypes")...), Callbacks: givenList(Callbacks(textAt(have, "callbackUrl", ""))...),
	}
	names, known := clientSettingsOf(kind)
	if !known {
		return key, false
	}
	lifetime := func(name string) (n desired.Number) {
		if seconds, err := strconv.Atoi(textOf(at(have, "additionalProperties."+name))); err == nil && seconds > 0 {
			n = given(seconds)
		}
		return n
	}
	on := func(name string) desired.Switch {
		return given(textOf(at(have, "additionalProperties."+name)) == "true")
	}
	key.ApplicationLifetime, key.UserLifetime = lifetime(names.application), lifetime(names.user)
	key.RefreshLifetime, key.IDLifetime = lifetime(names.refresh), lifetime(names.id)
	key.PKCE, key.PKCEPlain, key.PublicClient = on(names.pkce), on(names.plain), on(names.public)
	return key, true
}

// KeyName returns the name of a key in changes and in the record. The key names its key manager.
func KeyName(key desired.Key) string { return keyName(key, "") }
