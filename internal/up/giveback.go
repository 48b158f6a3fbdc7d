package up

import (
	"fmt"

	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// giveBack is what an uninstall does with a truststore.
type giveBack struct {
	changes      []trust.Change
	certificates map[string]keystore.Certificate // that become trusted again, by fingerprint
	stays        []string                        // entries that look like the agent's and stay, and why
}

// giveBackOf returns what makes a truststore's entries under the names of configured those of the original again, which the agent kept
// before its first change. A nil original, with the reason, proves nothing: people and scripts use the same aliases.
func giveBackOf(entries []trust.Entry, configured []string, original *keystore.Store, reason error) giveBack {
	g := giveBack{certificates: map[string]keystore.Certificate{}}
	for _, e := range entries {
		if trust.Owner(e, configured) == "" {
			continue
		}
		stays := func(format string, args ...any) {
			g.stays = append(g.stays, fmt.Sprintf("%s %s: ", e.Alias, short(e.Fingerprint))+fmt.Sprintf(format, args...))
		}
		if original == nil {
			stays("nothing shows that the agent has added it: %v; remove it with agent certs delete if it did", reason)
			continue
		}
		was, err := original.Entry(e.Alias)
		switch {
		case err != nil:
			g.changes = append(g.changes, trust.Change{Action: trust.Removed, Alias: e.Alias, Fingerprint: e.Fingerprint})
		case was.Kind != keystore.TrustedCertificate: // somebody else has replaced it since: the agent replaces no key
			stays("the original has a key under this alias")
		case was.Chain[0].Fingerprint().String() == e.Fingerprint:
			stays("it was there before the agent")
		default:
			before := was.Chain[0].Fingerprint().String()
			g.certificates[before] = was.Chain[0]
			g.changes = append(g.changes, trust.Change{Action: trust.Replaced, Alias: e.Alias, Fingerprint: before, Was: e.Fingerprint})
		}
	}
	return g
}

// openOriginal opens the copy of a truststore that the agent kept before its first change, as read from path. The store is nil if the copy
// proves nothing, and reason says why.
func openOriginal(data []byte, missing bool, path, password string) (store *keystore.Store, reason error) {
	if missing {
		return nil, fmt.Errorf("there is no %s", path)
	}
	store, err := keystore.Open(data, password)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return store, nil
}

// add puts what is done with a truststore into the plan.
func (g giveBack) add(r *Removal) {
	for _, c := range g.changes {
		line := c.Alias + " " + short(c.Fingerprint)
		if c.Action == trust.Replaced {
			r.Restored = append(r.Restored, line+" in place of "+short(c.Was))
		} else {
			r.Aliases = append(r.Aliases, line)
		}
	}
	r.Stays = append(r.Stays, g.stays...)
}
