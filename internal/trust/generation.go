package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"wso2agent/internal/keystore"
)

// Generation names all that a server reads at its start and the agent is concerned with: the managed truststore
// entries and the number of the agent's writes of it, the server's own certificate, its settings file (nil where there
// is none). A server that started with
// another generation than the one on disk is due for a restart; one that started with the same is not, whatever
// happened in between.
func Generation(m Managed, edition int, own keystore.Certificate, settings []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "edition %d\n", edition)
	fmt.Fprintf(h, "own %s\n", own.Fingerprint())
	for _, alias := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(h, "trusts %s %s\n", alias, m[alias])
	}
	fmt.Fprintf(h, "settings %x\n", sha256.Sum256(settings))
	return hex.EncodeToString(h.Sum(nil))[:32]
}
