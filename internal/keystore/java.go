package keystore

import (
	"errors"
	"fmt"

	"wso2agent/internal/javacert"
	"wso2agent/internal/remedy"
)

// CheckJava returns nil if Java loads a store with these entries, as far as their certificates decide that. The error names
// every entry that prevents it, with the remedy, and wraps javacert.ErrRefused.
func CheckJava(entries []Entry) error {
	var all []error
	for _, e := range entries {
		hint := "delete this entry (agent certs delete)"
		if e.Kind == KeyEntry {
			hint = "give this key another certificate"
		}
		for _, c := range e.Chain {
			if err := javacert.Check(c.DER); errors.Is(err, javacert.ErrRefused) {
				all = append(all, remedy.Add(fmt.Errorf("%q: %w", e.Alias, err), "%s", hint))
			}
		}
	}
	return errors.Join(all...)
}
